"""A table's columns from its header alone, the same that reading the whole table finds."""

import subprocess
import sys

import pandas as pd
import pytest
from astropy.table import Table
from helpers import ROOT

from crossz.catalog.header import columns_of, needs_archive
from crossz.catalog.lists import read_table
from crossz.core.errors import CrosszError

KINDS = [("csv", "ascii.csv"), ("fits", "fits"), ("vot", "votable"), ("xml", "votable"), ("parquet", "parquet")]
ROWS = pd.DataFrame({"ObjID": [1, 2], "RAJ2000": [10.1, 11.0], "DEJ2000": [-1.5, 2.0], "psfmag_U": [20.0, 21.0]})
MAPPED = {"ra": "raj2000", "dec": "DEJ2000"}


def names(path):
    return [field.name for field in columns_of(path)]


def written(path, kind, rows=ROWS):
    if kind == "parquet":
        rows.to_parquet(path)
    else:
        Table.from_pandas(rows).write(path, format=kind)
    return path


@pytest.mark.parametrize(("suffix", "kind"), KINDS)
def test_the_header_says_what_the_whole_table_says(tmp_path, suffix, kind):
    path = written(tmp_path / f"mine.{suffix}", kind)
    assert names(path) == list(ROWS)
    assert set(read_table(path, MAPPED).column_names) == {"objID", "ra", "dec", "psfMag_u"}
    assert not needs_archive(path, MAPPED)
    path = written(tmp_path / f"place.{suffix}", kind, ROWS[["RAJ2000", "DEJ2000"]])
    assert needs_archive(path, MAPPED)
    assert needs_archive(path, {})
    path = written(tmp_path / f"other.{suffix}", kind, ROWS[["RAJ2000"]].rename(columns={"RAJ2000": "alpha"}))
    with pytest.raises(CrosszError, match=r"no ra and dec .*catalog.columns"):
        needs_archive(path, {})


@pytest.mark.parametrize("kind", ["csv", "fits", "vot", "parquet"])
@pytest.mark.parametrize("content", [b"", b"not a table", b"<VOTABLE>", b"PAR1"])
def test_a_broken_header_is_an_error_that_names_the_file(tmp_path, kind, content):
    path = tmp_path / f"broken.{kind}"
    path.write_bytes(content)
    with pytest.raises(CrosszError, match=rf"broken\.{kind}: "):
        needs_archive(path, {})


def test_a_csv_as_servers_send_it(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_bytes(b'\xef\xbb\xbf#Table1\r\nobjID,"name, long"\r\n1,a\r\n')
    assert names(path) == ["objID", "name, long"]
    path.write_bytes(b"\xef\xbb\xbfra,dec\n1,2\n")
    assert names(path) == ["ra", "dec"]


def test_a_csv_needs_no_reader(tmp_path):
    (tmp_path / "mine.csv").write_text("ra,dec\n1,2\n")
    code = (
        "import sys; from crossz.catalog.header import needs_archive; assert needs_archive(sys.argv[1], {})\n"
        "assert not {'numpy', 'pandas', 'pyarrow', 'scipy', 'astropy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "mine.csv"], check=True, cwd=ROOT / "src", timeout=60)
