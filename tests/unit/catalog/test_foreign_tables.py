"""Tables of others that are broken, or that would open something else: one line that names the file, no traceback."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table
from toy import BIG, rows

from crossz.catalog.header import columns_of
from crossz.catalog.lists import read_table
from crossz.catalog.objects import dedupe
from crossz.core.errors import CrosszError


def votable(path):
    rows(objID=[BIG]).astype({"specObjID": str}).pipe(Table.from_pandas).write(path, format="votable")
    return path.read_bytes()


def bodies(folder):
    """(name, bytes, words of the refusal) of hostile tables."""
    good = votable(folder / "good.vot")
    image = folder / "image.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((4, 4)))]).writeto(image)
    table = folder / "table.fits"
    Table({"ra": [1.0, 2.0]}).write(table)
    lying = table.read_bytes().replace(b"NAXIS2  =                    2", b"NAXIS2  =           2000000000")
    assert lying != table.read_bytes()
    doctype = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    stream = b'<STREAM href="http://127.0.0.1:9/x" encoding="base64"/>'
    return {
        "stream.vot": (good.replace(b"<TABLEDATA>", stream + b"<TABLEDATA>"), "STREAM href"),
        "doctype.vot": (doctype + good.partition(b"?>")[2], "DOCTYPE"),
        "utf16.vot": (good.decode().encode("utf-16"), "UTF-8"),
        "cut.vot": (good[: len(good) // 2], "not a readable .vot table"),
        "image.fits": (image.read_bytes(), "not a readable .fits table"),
        "lying.fits": (lying, "its headers say"),
        "text.fits": (b"objID,ra\n1,2\n", "not a readable .fits table"),
        "latin1.csv": ("objID,größe\n1,2\n".encode("latin-1"), "not a readable .csv table"),
        "twice.csv": (b"objid,OBJID\n1,2\n", "more than one column is named objid"),
        "empty.csv": (b"", "not a readable .csv table"),
        "text.parquet": (b"PAR1 and no more PAR1", "not a readable .parquet table"),
    }


NAMES = ("stream.vot", "doctype.vot", "utf16.vot", "cut.vot", "image.fits", "lying.fits", "text.fits", "latin1.csv", "twice.csv", "empty.csv", "text.parquet")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_table_is_refused_in_words(tmp_path, name):
    body, words = bodies(tmp_path)[name]
    path = tmp_path / "mine" / name
    path.parent.mkdir()
    path.write_bytes(body)
    with pytest.raises(CrosszError) as caught:
        read_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["stream.vot", "doctype.vot", "utf16.vot", "image.fits", "text.fits", "latin1.csv", "empty.csv", "text.parquet"])  # fmt: skip
def test_its_header_is_refused_too(tmp_path, name):
    body, _ = bodies(tmp_path)[name]
    path = tmp_path / "mine" / name
    path.parent.mkdir()
    path.write_bytes(body)
    with pytest.raises(CrosszError, match=r"not a readable|STREAM|DOCTYPE|UTF-8"):
        columns_of(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ra", 400.0), ("ra", np.inf), ("dec", -95.0), ("z", -5.0), ("z", -1.0), ("z", 1e6), ("z", np.nan), ("objID", -5)],
)
def test_what_cannot_be_is_dropped_and_counted(name, value):
    table = rows(objID=[BIG, BIG + 1]).assign(ra=[10.0, 20.0])
    table.loc[0, name] = value
    unique, counts = dedupe(table)
    assert unique["objID"].tolist() == [BIG + 1]
    assert counts["dropped_impossible"] == 1


def test_an_infinite_zErr_is_a_failed_fit():
    table = rows(objID=[BIG, BIG + 1]).assign(zErr=[np.inf, 1e-4])
    assert dedupe(table)[1]["dropped_failed_fit"] == 1


def test_a_star_s_blueshift_is_kept():
    assert len(dedupe(rows(objID=[BIG]).assign(z=-0.004))[0]) == 1
    assert isinstance(dedupe(rows(objID=[BIG]))[0], pd.DataFrame)
