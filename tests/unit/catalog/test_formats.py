"""Tables as people have them: every layout of text, compressed, through a pipe; or one line that names what was found."""

import gzip
import io
import sys

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from crossz.catalog import formats
from crossz.catalog.header import columns_of
from crossz.catalog.readers import fields_of, read_all
from crossz.core.errors import CrosszError

WANTED = {"name": ["a b", "c"], "umag": ["19.5", "20.25"], "e_umag": ["0.1", "0.02"]}
VIZIER = """#
#   VizieR Astronomical Server vizier.cds.unistra.fr
#Column\tumag\t(F6.3)\tMagnitude

name\tumag\te_umag
 \tmag\tmag
----\t------\t-----
a b\t19.5\t0.1
c\t20.25\t0.02

#END#
"""
TEXTS = {
    "comma.csv": 'name,umag,e_umag\n"a b",19.5,0.1\nc,20.25,0.02\n',
    "windows.csv": '\ufeffname,umag,e_umag\r\n"a b",19.5,0.1\r\nc,20.25,0.02\r\n',
    "skyserver.csv": "#Table1\nname,umag,e_umag\na b,19.5,0.1\nc,20.25,0.02\n",
    "no-last-newline.csv": "name,umag,e_umag\na b,19.5,0.1\nc,20.25,0.02",
    "semicolon.csv": "name;umag;e_umag\na b;19.5;0.1\nc;20.25;0.02\n",
    "tabs.tsv": "name\tumag\te_umag\na b\t19.5\t0.1\nc\t20.25\t0.02\n",
    "vizier.tsv": VIZIER,
    "vizier.txt": VIZIER.replace("\t", ";"),
    "bars.txt": "name|umag|e_umag\na b|19.5|0.1\nc|20.25|0.02\n",
    "blanks.dat": "name   umag  e_umag\n'a   19.5  0.1\nc    20.25 0.02\n",
    "topcat.txt": "# name umag  e_umag\n  'a   19.5  0.1\n  c    20.25 0.02\n",
    "sextractor.cat": "#   1 name     The name\n#   2 umag     Magnitude [mag]\n#   3 e_umag   Error [mag]\n 'a 19.5 0.1\n c 20.25 0.02\n",
    "lephare.out": "######\n# Output format   #\n# name  1  ,  umag  2  ,  e_umag  3  #\n######\n'a 19.5 0.1\nc 20.25 0.02\n",
    "mine.ecsv": "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: name, datatype: string}\n# - {name: umag, unit: mag, datatype: float64}\n"
    '# - {name: e_umag, unit: mag, datatype: float64}\nname umag e_umag\n"a b" 19.5 0.1\nc 20.25 0.02\n',
    "excel.csv": "\ufeffsep=;\r\nname;umag;e_umag\r\na b;19.5;0.1\r\nc;20.25;0.02\r\n",
    "gator.tbl": "|name|umag   |e_umag|\n|char|double |double|\n|    |mag    |mag   |\n  ab   19.5    0.1   \n  c    20.25   0.02  \n",
}


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", TEXTS)
def test_a_table_of_text_is_read_in_any_layout(tmp_path, name, compressed):
    content = TEXTS[name].encode()
    path = tmp_path / (f"{name}.gz" if compressed else name)
    path.write_bytes(gzip.compress(content, mtime=0) if compressed else content)
    table = read_all(path)
    assert table.column_names == list(WANTED)
    assert [field.name for field in columns_of(path)] == list(WANTED)
    assert [name.strip("'").split(" ")[0][0] for name in table["name"].to_pylist()] == ["a", "c"]
    for column in ("umag", "e_umag"):
        assert [float(value) for value in table[column].to_pylist()] == list(map(float, WANTED[column]))
    if name.startswith(("vizier", "mine", "gator")):
        assert fields_of(table.schema)[1].unit == "mag"
        assert columns_of(path)[1].unit == "mag"


@pytest.mark.parametrize("form", ["ascii.fixed_width", "ascii.mrt"])
def test_tables_that_astropy_draws_are_read(tmp_path, form):
    path = tmp_path / "mine.txt"
    Table({"name": ["a b", "c"], "umag": [19.5, 20.25]}, units={"umag": "mag"}).write(path, format=form)
    table = read_all(path)
    assert [float(value) for value in table["umag"].to_pylist()] == [19.5, 20.25]
    assert [field.name for field in columns_of(path)] == table.column_names
    if form == "ascii.mrt":
        assert fields_of(table.schema)[1].unit == "mag"


def test_text_of_a_csv_is_kept_as_it_is(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("objID,ra,note\n0012,1.50,\n1237654669735362939,1e1,NA\n")
    assert read_all(path).to_pydict() == {
        "objID": ["0012", "1237654669735362939"],
        "ra": ["1.50", "1e1"],
        "note": ["", "NA"],
    }


def test_units_ucds_and_arrays_of_binary_tables_are_kept(tmp_path):
    table = Table({"umag": np.array([19.5, np.nan]), "flux": np.ones((2, 3)), "n": np.ma.array([1, 2], mask=[0, 1])})
    table["umag"].unit = "mag"
    table["umag"].description = "a magnitude"
    table.write(tmp_path / "mine.fits")
    table["umag"].meta["ucd"] = "phot.mag;em.opt.U"
    table.write(tmp_path / "mine.vot", format="votable")
    for path in (tmp_path / "mine.fits", tmp_path / "mine.vot"):
        read = read_all(path)
        assert read["umag"].to_pylist() == [19.5, None]
        assert read["flux"].to_pylist() == [[1.0] * 3] * 2
        assert read["n"].to_pylist() == [1, None]
        assert fields_of(read.schema)[0].unit == columns_of(path)[0].unit == "mag"
    assert fields_of(read.schema)[0].ucd == columns_of(path)[0].ucd == "phot.mag;em.opt.U"


def test_a_table_comes_through_a_pipe(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ra,dec\n1,2\n")))
    assert read_all("-").to_pydict() == {"ra": ["1"], "dec": ["2"]}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", "it has 0 bytes"),
        ("empty.fits", b"", "it has 0 bytes"),
        ("header.csv", b"ra,dec\n", "no rows, only a header: ra, dec"),
        ("comments.csv", b"# a table\n# of nothing\n", "no rows|no line with names"),
        ("text.fits", b"ra,dec\n1,2\n", r"not a readable \.fits table: a file of text, which begins 'ra,dec'"),
        ("page.csv", b"<!DOCTYPE html><html>sign in</html>", "an HTML page"),
        ("page.vot", b"<html><body>error</body></html>", "an HTML page"),
        ("fragment.vot", b"<TABLE><TR><TD>1</TD></TR></TABLE>", "XML or HTML, and no VOTable; save it as"),
        ("answer.xml", b'<?xml version="1.0" encoding="utf-16"?><root><Answer/></root>', "XML or HTML, and no VOTable"),
        ("answer.json", b'[{"TableName":"Table1","Rows":[{"ra":1}]}]', "JSON; save it as"),
        ("paper.tex", b"\\begin{table}\nra & dec \\\\\n", "LaTeX; save it as"),
        (
            "stilts.txt",
            b"Table name: x\n+----+----+\n| ra | de |\n+----+----+\n| 1  | 2  |\n",
            "drawn with lines; save it as",
        ),
        ("sheet.csv", b"PK\x03\x04\x14\x00", "a sheet of Excel"),
        ("sheet.xlsx", b"PK\x03\x04\x14\x00", "a sheet of Excel"),
        ("utf16.csv", "ra,dec\n1,2\n".encode("utf-16"), "UTF-16"),
        ("binary.csv", b"\x01\x02\x00\x03", "none of FITS, VOTable and Parquet"),
        ("latin.csv", "naïve,dec\n1,2\n".encode("latin-1"), r"not UTF-8, at 'naï'; save it in UTF-8"),
        ("numbers.csv", b"10.5,2.0\n11.5,3.0\n", "holds numbers; put a line with the names"),
        ("ragged.csv", b"ra,dec\n1,2\n3\n", "Expected 2 columns, got 1"),
        ("cut.csv.gz", gzip.compress(b"ra,dec\n1,2\n" * 100, mtime=0)[:-9], "its gzip is cut or damaged"),
        ("old.csv", b"BZh91AY&SY", "compressed by bzip2"),
    ],
)
def test_what_is_no_table_is_named_in_one_line(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CrosszError, match=words) as caught:
        read_all(path)
    assert str(caught.value).startswith(f"{path}: not a readable ")
    assert "\n" not in str(caught.value)


def test_a_gzip_that_shrinks_as_no_table_does_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "_FREE", 1000)
    path = tmp_path / "mine.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 50))
    assert len(read_all(path)) == 50
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" + b"\n" * 3_000_000))
    with pytest.raises(CrosszError, match="bytes when unpacked; no table shrinks so much"):
        read_all(path)


def test_no_rows_of_a_binary_table_and_a_folder_are_named(tmp_path):
    pd.DataFrame({"ra": np.zeros(0)}).to_parquet(tmp_path / "none.parquet")
    with pytest.raises(CrosszError, match=r"none\.parquet: no rows, only columns: ra"):
        read_all(tmp_path / "none.parquet")
    with pytest.raises(CrosszError, match="no such file; it is a folder"):
        read_all(tmp_path)
    with pytest.raises(CrosszError, match=r"absent\.csv: no such file$"):
        read_all(tmp_path / "absent.csv")
