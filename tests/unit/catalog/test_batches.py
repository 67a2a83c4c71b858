"""Tables of users in pieces: the rows of the whole table, whatever its format."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toy
from astropy.table import Table

from crossz.catalog import batches
from crossz.catalog.batches import user_batches
from crossz.catalog.lists import read_list
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError

NEEDED = [f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS]


def written(folder, form, rows):
    path = folder / f"mine.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path, row_group_size=9)
    elif form == "csv.gz":
        path.write_bytes(gzip.compress(rows.to_csv(index=False).encode()))
    elif form == "txt":
        path.write_text(rows.to_csv(index=False, sep=" "))
    elif form in ("fits", "vot"):
        Table.from_pandas(rows).write(path, format="votable" if form == "vot" else "fits")
    else:
        rows.to_csv(path, index=False, sep={"csv": ",", "tsv": "\t"}[form])
    return path


@pytest.fixture
def rows():
    table = toy.catalog(30)[["objID", *NEEDED]].assign(name=[f"quasar-{number}" for number in range(30)])
    table.loc[3, "dered_u"] = -9999.0
    return table


@pytest.mark.parametrize("form", ["parquet", "csv", "csv.gz", "tsv", "txt", "fits", "vot"])
def test_the_pieces_are_the_table(rows, form, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(batches, "ROWS", 7)
    path = written(tmp_path, form, rows)
    whole = read_list(path, NEEDED)
    with caplog.at_level("INFO", "crossz"), user_batches(path, NEEDED) as targets:
        assert targets.how == whole.how
        caplog.clear()
        parts = list(targets.lists())
        texts = list(targets.given(texts_alone=True))
    assert [len(part.given) for part in parts] == [7, 7, 7, 7, 2]
    assert pa.concat_tables(part.given for part in parts).equals(whole.given)
    pd.testing.assert_frame_equal(pa.concat_tables(part.known for part in parts).to_pandas(), whole.known.to_pandas())
    assert "1 value(s) count as missing magnitudes or errors: -9999" in caplog.text
    assert caplog.text.count("count as missing") == 1
    assert all("name" in table.column_names for table in texts)
    assert sum(map(len, texts)) == 30


def test_no_more_than_one_piece_is_read_ahead(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "ROWS", 7)
    path = written(tmp_path, "parquet", rows)
    read = []
    one_piece = batches.reading_of
    monkeypatch.setattr(batches, "reading_of", lambda path: read.append(path) or one_piece(path))
    with user_batches(path, NEEDED) as targets:
        read.clear()
        next(targets.lists())
        assert len(read) <= 2


@pytest.mark.parametrize("row_groups", [1, 20])
def test_a_parquet_file_is_not_read_ahead(rows, row_groups, tmp_path):
    count = 400_000
    noise = np.random.default_rng(0).normal(size=(len(NEEDED), count))  # which nothing compresses
    path = tmp_path / "mine.parquet"
    table = pa.table(dict(zip(NEEDED, 20 + noise, strict=True)))
    pq.write_table(table, path, row_group_size=count // row_groups, use_dictionary=False)
    before, most = pa.total_allocated_bytes(), 0
    with user_batches(path, NEEDED) as targets:
        for _ in targets.given():
            most = max(most, pa.total_allocated_bytes() - before)
    assert most < path.stat().st_size / 2


def test_a_last_line_without_an_end_is_told_once(rows, tmp_path, caplog):
    path = written(tmp_path, "csv", rows)
    path.write_bytes(path.read_bytes().rstrip())
    with user_batches(path, NEEDED) as targets:
        assert sum(len(part.known) for part in targets.lists()) == targets.count() == len(rows)
    assert caplog.text.count("its last line has no end") == 1


def test_what_is_held_whole_is_read_once_and_announced_where_it_is_large(rows, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(batches, "_ANNOUNCED", 1000)
    reads, read_all = [], batches.read_all
    monkeypatch.setattr(batches, "read_all", lambda file: reads.append(file) or read_all(file))
    for form in ("fits", "vot"):
        path = written(tmp_path, form, rows)
        with user_batches(path, NEEDED) as targets:
            parts = [*targets.given(texts_alone=True), *targets.lists(), *targets.lists()]
        assert len(parts) == 3
        assert len(reads) == (form == "vot")
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"{path}: a table of this format (votable, 0.0 GB) is held in memory as a whole; save a long one as Parquet, FITS or CSV"
    ]


def test_errors_name_the_table_and_not_its_temporary_file(rows, tmp_path):
    path = written(tmp_path, "csv.gz", rows)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CrosszError, match=r"mine.csv.gz: not a readable .csv table: its gzip is cut or damaged"):
        with user_batches(path, NEEDED):
            pass
    with pytest.raises(CrosszError, match=r"no.csv: no such file"):
        with user_batches(tmp_path / "no.csv", NEEDED):
            pass
    empty = written(tmp_path, "parquet", rows.head(0))
    with pytest.raises(CrosszError, match=r"mine.parquet: no rows"):
        with user_batches(empty, NEEDED):
            pass
    lacking = written(tmp_path, "csv", rows[["objID", "name"]])
    with pytest.raises(CrosszError, match=r"mine.csv: no column dered_\*, psfMagErr_\*"):
        with user_batches(lacking, NEEDED):
            pass


def test_what_goes_wrong_with_the_rows_is_not_laid_to_the_file(rows, tmp_path):
    def consume():
        with user_batches(written(tmp_path, "csv", rows), NEEDED) as targets:
            for _ in targets.lists():
                raise OSError(28, "the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        consume()


def test_wide_rows_come_fewer_at_a_time(rows, tmp_path, monkeypatch):
    rows = rows.assign(spectrum=[[0.0] * 1000] * 30)
    path = written(tmp_path, "parquet", rows)
    monkeypatch.setattr(batches, "_BYTES", 50_000)
    with user_batches(path, NEEDED) as found:
        parts = list(found.given())
    assert max(map(len, parts)) < 15  # of 30 rows
    assert pa.concat_tables(parts)["name"].to_pylist() == rows["name"].tolist()
