"""Tables of others that are broken, or that would open something else: one line that names the file, no traceback."""

import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
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
    lost = table.read_bytes().replace(b"TFIELDS =                    1", b"TFIELDS =           2147483647")
    power = fits.table_to_hdu(Table({"dered_u": [18.0]}))
    power.header["TUNIT1"] = POWER
    power.writeto(folder / "power.fits")
    power.header["TUNIT1"], power.header["TDISP1"] = "mag", "F99999.2"
    power.writeto(folder / "width.fits")
    Table({"dered_u": [18.0]}).write(folder / "power.ecsv")
    ecsv = (folder / "power.ecsv").read_text().replace("datatype: float64", f"unit: '{POWER}', datatype: float64")
    ipac = "|dered_u|\n|double |\n|mag    |\n|null   |\n 18.0    \n"
    column = "datatype: float64"
    field = pa.field("dered_u", pa.float64(), metadata={"unit": POWER})
    pq.write_table(pa.Table.from_arrays([pa.array([18.0])], schema=pa.schema([field])), folder / "power.parquet")
    often = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), pa.array(["x" * 9999]))
    pq.write_table(pa.table({"note": often}), folder / "often.parquet", store_schema=False)
    text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(struct.pack("<ii", 0, 1)), pa.py_buffer(b"\xff")])
    pq.write_table(pa.table({"note": text}), folder / "bytes.parquet")
    zeros = pa.LargeListArray.from_arrays(pa.array([0, 3_000_000], pa.int64()), pa.array(np.zeros(3_000_000, np.int8)))
    pq.write_table(pa.table({"note": zeros}), folder / "wide.parquet")
    doctype = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    stream = b'<STREAM href="http://127.0.0.1:9/x" encoding="base64"/>'
    return {
        "stream.vot": (good.replace(b"<TABLEDATA>", stream + b"<TABLEDATA>"), "STREAM href"),
        "sign.vot": (
            good.replace(b"<TABLEDATA>", b'<STREAM type=">" href="http://127.0.0.1:9/x"/><TABLEDATA>'),
            "STREAM href",
        ),
        "long.vot": (
            good.replace(b"<TABLEDATA>", b'<STREAM type="%b" href="http://x"/><TABLEDATA>' % (b"a" * 5000)),
            "STREAM href",
        ),
        "rows.vot": (good.replace(b"<TABLE>", b'<TABLE nrows="100000000">'), "it announces"),
        "wide.vot": (
            good.replace(b'datatype="double"', b'datatype="double" arraysize="9999x9999x*"', 1),
            "it announces",
        ),
        "power.vot": (
            good.replace(b'datatype="double"', b'datatype="double" unit="%b"' % POWER.encode(), 1),
            "has a power",
        ),
        "power.fits": ((folder / "power.fits").read_bytes(), "has a power"),
        "power.ecsv": (ecsv.encode(), "has a power"),
        "width.vot": (good.replace(b'datatype="double"', b'datatype="double" width="999999999"', 1), "is shown as"),
        "width.ecsv": (ecsv.replace(f"unit: '{POWER}'", "format: '%999999999f'").encode(), "is shown as"),
        "width.fits": ((folder / "width.fits").read_bytes(), "is shown as"),
        "often.parquet": ((folder / "often.parquet").read_bytes(), "bytes in 20,000 rows"),
        "deep.ecsv": (ecsv.replace("# schema", f"# meta: {'[' * 9999}\n# schema").encode(), "brackets in each other"),
        "many.ecsv": (
            ecsv.replace("# schema", f"# meta: {{{'a: 1, ' * 50_000}}}\n# schema").encode(),
            "its header has more",
        ),
        "kind.ecsv": (ecsv.replace(f"unit: '{POWER}', {column}", "datatype: S99999999").encode(), "is shown as"),
        "array.ecsv": (
            ecsv.replace(f"unit: '{POWER}', {column}", "datatype: string, subtype: 'float64[99999,9999]'").encode(),
            "it announces 1,999,780,002 values",
        ),
        "power.tbl": (ipac.replace("mag    ", POWER).encode(), "has a power"),
        "bars.tbl": (f"\\\n|{'a|' * 20_000}\n {'1 ' * 20_000}\n".encode(), "a table with 20,001 columns"),
        "text.parquet": ((folder / "bytes.parquet").read_bytes(), "Invalid UTF8"),
        "power.parquet": ((folder / "power.parquet").read_bytes(), "has a power"),
        "columns.fits": (lost, "a table with 2147483647 columns"),
        "doctype.vot": (doctype + good.partition(b"?>")[2], "DOCTYPE"),
        "utf16.vot": (good.decode().encode("utf-16"), "UTF-8"),
        "cut.vot": (good[: len(good) // 2], "not a readable .vot table"),
        "image.fits": (image.read_bytes(), "not a readable .fits table"),
        "lying.fits": (lying, "its headers say"),
        "text.fits": (b"objID,ra\n1,2\n", "not a readable .fits table"),
        "latin1.csv": ("objID,größe\n1,2\n".encode("latin-1"), "not a readable .csv table"),
        "twice.csv": (b"objid,OBJID\n1,2\n", "more than one column is named objid or OBJID; rename"),
        "empty.csv": (b"", "not a readable .csv table"),
        "wide.parquet": ((folder / "wide.parquet").read_bytes(), "its rows have 24,0"),
        "words.parquet": (b"PAR1 and no more PAR1", "not a readable .parquet table"),
    }


POWER = "10**999999999 Jy"  # which astropy would calculate
NAMES = ("sign.vot", "long.vot", "rows.vot", "wide.vot", "power.vot", "power.fits", "power.ecsv", "power.parquet", "deep.ecsv", "often.parquet", "width.vot", "width.ecsv", "width.fits", "columns.fits", "stream.vot", "doctype.vot", "utf16.vot", "cut.vot", "image.fits", "lying.fits", "text.fits", "latin1.csv", "twice.csv", "empty.csv", "text.parquet", "wide.parquet", "words.parquet", "many.ecsv", "kind.ecsv", "array.ecsv", "power.tbl", "bars.tbl")  # fmt: skip


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


@pytest.mark.parametrize("name", ["stream.vot", "doctype.vot", "utf16.vot", "image.fits", "text.fits", "latin1.csv", "empty.csv", "words.parquet"])  # fmt: skip
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
