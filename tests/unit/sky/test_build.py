"""The same survey, byte for byte, for any number of workers; its tables."""

import sqlite3

import pandas as pd
import pytest
from toy_sky import digests, make


def test_the_same_bytes_for_any_number_of_workers(built, tmp_path):
    again = digests(make(tmp_path / "two", workers=2))
    assert again == {name: digest for name, digest in digests(built).items() if not name.startswith("spectra/")}


def test_a_killed_build_leaves_nothing_but_what_the_next_one_sweeps_up(tmp_path):
    def kill(_):
        names = {path.suffix for path in (tmp_path / "killed").iterdir() if path.is_file()}
        assert names == {".sqlite", ".parquet"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "killed", workers=1, progress=kill)


def test_another_seed_is_another_sky(tables, tmp_path):
    with sqlite3.connect(make(tmp_path / "other", workers=1, seed=12) / "sky.sqlite") as connection:
        other = pd.read_sql("SELECT z FROM SpecObjAll", connection)
    assert set(other["z"]).isdisjoint(set(tables[1]["z"]))


def test_class_is_compared_without_case(built):
    with sqlite3.connect(built / "sky.sqlite") as connection:
        count = [
            connection.execute(f"SELECT count(*) FROM SpecObjAll WHERE class = '{name}'").fetchone()
            for name in ("QSO", "qso")
        ]
        assert count[0] == count[1] != (0,)
        kinds = connection.execute("SELECT DISTINCT typeof(specObjID), typeof(bestObjID) FROM SpecObjAll").fetchall()
        assert kinds == [("text", "integer")]
        assert connection.execute("SELECT max(length(specObjID)) FROM SpecObjAll").fetchone() == (20,)  # beyond 2^63
