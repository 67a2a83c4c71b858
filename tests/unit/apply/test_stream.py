"""Tables of any length through `crossz predict`: batch by batch, the same rows, whole or not at all."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from crossz.apply import cli, predict, stream
from crossz.catalog import batches
from crossz.core.constants import BANDS


@pytest.fixture
def csv(targets, tmp_path):
    kept = ["objID", *(f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS)]
    rows = targets[kept].assign(name=np.where(np.arange(len(targets)) < 100, "17", "3C 273"))  # no number after all
    rows.to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


@pytest.fixture
def batched(monkeypatch):
    monkeypatch.setattr(batches, "ROWS", 50)


def run(*arguments):
    cli.main([*map(str, arguments)])


def same(found, wanted):
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-5, check_dtype=True)


@pytest.mark.parametrize("out", ["out.parquet", "out.csv", "out.fits", "folder", "folder.parquet/"])
def test_batches_give_the_rows_of_the_whole(made, csv, tmp_path, monkeypatch, capsys, out):
    whole = tmp_path / "whole" / ("out.parquet" if "folder" in out else out)
    run("predict", made, csv, whole)
    monkeypatch.setattr(batches, "ROWS", 50)
    capsys.readouterr()
    run("predict", made, csv, f"{tmp_path}/{out}")
    assert "120 targets: ok 120; from phot+img_gen 120; 1 out of the training domain" in capsys.readouterr().err
    if out.endswith("csv"):
        same(pd.read_csv(tmp_path / out), pd.read_csv(whole))
        assert (tmp_path / out).read_text().splitlines()[0] == whole.read_text().splitlines()[0]
    elif out.endswith("fits"):
        assert (tmp_path / out).stat().st_size == whole.stat().st_size
    else:
        same(pd.read_parquet(tmp_path / out), pd.read_parquet(whole))
        assert pq.read_schema(whole).equals(pyarrow.dataset.dataset(tmp_path / out).schema, check_metadata=True)
    if "folder" in out:
        parts = sorted((tmp_path / out).iterdir())
        assert [part.name for part in parts] == [f"part-0000{number}.parquet" for number in range(3)]
        assert [pq.ParquetFile(part).metadata.num_rows for part in parts] == [50, 50, 20]


@pytest.mark.parametrize("out", ["out.parquet", "out.csv", "out/"])
def test_a_run_that_fails_on_the_way_leaves_nothing_and_older_estimates_stay(
    made, csv, tmp_path, monkeypatch, batched, out
):
    def failing(table, *others):
        if failing.calls:
            raise OSError(28, "the disk is full")
        failing.calls += 1
        return predict.predict(table, *others)

    for older in (False, True):
        if older:
            run("predict", made, csv, f"{tmp_path}/{out}")
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        failing.calls = 0
        with monkeypatch.context() as patch:
            patch.setattr(stream, "predict", failing)
            with pytest.raises(SystemExit, match="no space is left"):
                run("predict", made, csv, f"{tmp_path}/{out}")
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        assert not list(tmp_path.glob(".*"))


def test_each_batch_is_written_before_the_next_is_read(made, csv, tmp_path, monkeypatch, batched):
    events = []
    whole = stream.answered
    monkeypatch.setattr(stream, "answered", lambda *parts: events.append("estimated") or whole(*parts))
    known = batches.renamed
    monkeypatch.setattr(batches, "renamed", lambda *parts: events.append("read") or known(*parts))
    run("predict", made, csv, tmp_path / "out")
    assert events == ["read", "estimated"] * 3


def test_a_folder_with_something_else_is_refused_and_an_older_one_replaced(made, csv, tmp_path):
    (tmp_path / "out").mkdir()
    run("predict", made, csv, tmp_path / "out")
    first = {path.name for path in (tmp_path / "out").iterdir()}
    run("predict", made, csv, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == first == {"part-00000.parquet"}
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(SystemExit, match="something else than estimates; name another folder"):
        run("predict", made, csv, tmp_path / "out")
    assert (tmp_path / "out/notes.txt").read_text() == "mine"


def test_images_of_repeated_objects_are_found_in_every_batch(survey, made, csv, tmp_path, monkeypatch, batched):
    rows = pd.read_csv(csv, dtype={"objID": str})
    pd.concat([rows, rows.tail(60)]).to_csv(csv, index=False)
    indexed = []
    index_of = predict.index_of
    monkeypatch.setattr(predict, "index_of", lambda paths: indexed.append(paths) or index_of(paths))
    run("predict", made, csv, tmp_path / "out", "--cutouts", *survey.cutouts)
    table = pd.read_parquet(tmp_path / "out")
    assert len(indexed) == 1
    assert table["inputs"].tolist() == ["phot+img_gen"] * 3 + ["phot+img"] * 177
    np.testing.assert_allclose(table["z_phot"][120:], table["z_phot"][60:120], rtol=1e-5)


def test_a_long_run_says_how_far_it_is(made, csv, tmp_path, monkeypatch, capsys, batched):
    monkeypatch.setattr(stream, "EVERY_S", 0.0)
    run("predict", made, csv, tmp_path / "out.csv", "--no-page")
    said = capsys.readouterr().err
    assert re.search(r"50 of 120 rows, about \d+ s left\n", said)
    assert "120 of 120" not in said
    numbers = pd.read_csv(csv).drop(columns="name")
    numbers.to_parquet(tmp_path / "numbers.parquet")  # no text, so that no pass over it comes first
    run("predict", made, tmp_path / "numbers.parquet", tmp_path / "out.csv", "--no-page")
    assert "\n100 rows\n" in capsys.readouterr().err
    run("predict", made, csv, tmp_path / "out.csv", "--no-page", "--quiet")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["s3:", "\udcff"], ids=["scheme", "no text"])
def test_a_folder_is_a_folder_whatever_its_name_looks_like(made, csv, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    quiet = ("--no-page", "--quiet")  # a name that is no text cannot stand in the report of a test
    run("predict", made, csv, f"{name}/x", *quiet)
    run("predict", made, csv, f"{name}/y.parquet", *quiet)
    for path in (Path(name, "x", "part-00000.parquet"), Path(name, "y.parquet")):
        with open(path, "rb") as handle:
            assert len(pd.read_parquet(handle)) == len(pd.read_csv(csv))
