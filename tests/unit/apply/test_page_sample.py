"""The rows of a page: a sample that no batches change, of bounded size."""

import base64
import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from crossz.apply import page_sample
from crossz.apply.page_sample import Sample
from crossz.apply.predict import images_of


def rows_of(table, size):
    made = Sample()
    for start in range(0, len(table), size):
        made.add(table.slice(start, size))
    assert made.total == len(table)
    assert made.table()["n"].to_pylist() == made.rows.tolist()
    return made.rows.tolist()


def test_the_sample_is_the_same_whatever_the_batches_are(monkeypatch):
    monkeypatch.setattr(page_sample, "ROWS", 300)
    table = pa.table({"n": np.arange(3000)})
    whole = rows_of(table, 3000)
    assert rows_of(table, 7) == rows_of(table, 299) == whole
    assert len(whole) == 300
    assert np.histogram(whole, 5, (0, 3000))[0] == pytest.approx(60, abs=30)  # from all parts of the table
    assert rows_of(table.slice(0, 300), 70) == list(range(300))


def test_a_table_of_many_columns_has_fewer_rows(monkeypatch):
    monkeypatch.setattr(page_sample, "CELLS", 4000)
    monkeypatch.setattr(page_sample, "_FEWEST", 10)
    assert len(rows_of(pa.table({"n": np.arange(900)} | {str(k): np.zeros(900) for k in range(19)}), 400)) == 200
    assert len(rows_of(pa.table({"n": np.arange(900)} | {str(k): np.zeros(900) for k in range(999)}), 400)) == 10


def test_images_are_bounded_too_and_show_north_up(survey, targets, monkeypatch):
    monkeypatch.setattr(page_sample, "PICTURES", 15)
    images = images_of(targets["objID"], survey.index, survey.cutouts)
    found = []
    for size in (len(targets), 11):
        made = Sample()
        for start in range(0, len(targets), size):
            part = slice(start, start + size)
            some = images._replace(row=images.row[part], status=images.status[part])
            made.add(pa.table({"n": np.arange(len(some.row))}), some)
        found.append(made.pictures)
    assert found[0] == found[1]
    assert sum(picture is not None for picture in found[0]) == 15
    colours = np.zeros((64, 64, 3))
    colours[60:] = 1  # the last rows, which are the highest of the sky
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(page_sample._jpeg(colours)))))
    assert picture.shape == (64, 64, 3)
    assert picture[1].min() > 200
    assert picture[20:].max() < 50
