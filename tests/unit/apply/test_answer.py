"""What a user gets: their own columns first and unchanged, ours behind them, in every format, with units, and by STILTS."""

import io
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import Table
from toy import BIG

from crossz.apply import writers
from crossz.apply.answer import (
    SYNTHETIC,
    answered,
    column_types,
    counted,
    finished,
    header_in,
    header_of,
    own_places,
    read_answer,
    summary,
    typed,
)
from crossz.apply.output import opened
from crossz.apply.output_columns import COLUMNS, described
from crossz.apply.pdf_columns import GRID
from crossz.apply.writers import WRITERS, write_table
from crossz.catalog.formats import Field
from crossz.catalog.readers import fields_of, read_all, with_fields
from crossz.core.errors import CrosszError

FACTS = {
    "dataset": "extended",
    "network": "crossmodal",
    "made": {"survey": "embedded"},
    "domain": {"objects": 1234, "features": {"z": [0.1, 1.0, 4.25]}},
}


@pytest.fixture
def given(tmp_path):
    """A list with awkward columns: ids, leading zeros, text, units, and names that ours have, too."""
    path = tmp_path / "list.csv"
    path.write_text(
        "Name,objID,code,RAJ2000,DEJ2000,umag,Status,z_phot,note,n\n"
        f'"Ton ""618"", a",{BIG},007,187.05,-3.5,15.50,seen,2.2,=1+1,1\n'
        f"naïve,{BIG + 1},010,10.25,2,16.25,,,-,\n"
    )
    table = read_all(path)
    fields = fields_of(table.schema)
    fields[5] = Field("umag", "mag", "phot.mag;em.opt.U", "a magnitude")
    return with_fields(table, fields)


@pytest.fixture
def found():
    """What `predict` gives for it, in an order of its own."""
    return pd.DataFrame(
        {
            "row": [0, 1], "objID": [str(BIG), str(BIG + 1)], "ra": [187.05, 10.25], "dec": [-3.5, 2.0],
            "status": ["ok", "no_data"], "inputs": ["phot", ""], "missing": ["", "ugriz"], "image": ["", ""],
            "edge": [False, False], "out_of_domain": [True, False], "faint": [False, False],
            "weight_0": [0.25, np.nan], "weight_1": [0.75, np.nan], "mean_0": [1.1, np.nan], "mean_1": [1.2, np.nan],
            "sigma_0": [0.05, np.nan], "sigma_1": [0.1, np.nan], "z_low_68": [2.0, np.nan], "z_phot": [2.25, np.nan], "z_median": [2.2, np.nan],
            "p_peak_1": [1.0, np.nan], "z_peak_1": [2.2, np.nan], "duplicate_of": pd.array([None, 0], "Int64"),
        }
    )  # fmt: skip


@pytest.fixture
def answer(given, found):
    columns = {"objID": "objID", "ra": "RAJ2000", "dec": "DEJ2000"}
    return finished(given, columns, found, header_of(FACTS, "f" * 64))


def test_all_columns_of_the_user_stand_first_and_ours_in_the_order_of_use(given, answer):
    ours = ["crossz_Status".lower(), "crossz_z_phot", "z_median", "z_low_68", "out_of_domain", "faint", "edge", "missing", "inputs", "image", "z_peak_1", "p_peak_1", "dec_", "duplicate_of", "pdf_weight", "pdf_mean", "pdf_sigma"]  # fmt: skip
    names = answer.column_names
    assert names[: len(given.column_names)] == given.column_names
    assert names[len(given.column_names) :] == [name for name in ours if name != "dec_"]
    assert answer["objID"].to_pylist() == [BIG, BIG + 1]
    assert answer["code"].to_pylist() == ["007", "010"]
    assert answer["z_phot"].to_pylist() == [2.2, None]
    assert answer["crossz_z_phot"].to_pylist() == [2.25, None]
    assert answer["n"].to_pylist() == [1, None]


def test_a_table_that_went_through_once_can_go_through_again(answer, found):
    again = finished(answer, {"objID": "objID"}, found, {})
    assert again.column_names[: answer.num_columns] == answer.column_names
    assert {"crossz2_z_phot", "crossz_z_median", "crossz2_status", "ra", "dec"} <= set(again.column_names)


def test_positions_that_were_text_are_appended_in_degrees(found):
    table = pa.table({"ra": ["12:28:12", "00:41:00"], "dec": ["-3:30:00", "2:00:00"]})
    whole = finished(table, {"ra": "ra", "dec": "dec"}, found, {})
    assert whole["ra"].to_pylist() == ["12:28:12", "00:41:00"]
    assert whole["crossz_ra"].to_pylist() == [187.05, 10.25]
    radians = pa.table([pa.array([3.26, 0.18])], pa.schema([pa.field("ra", pa.float64(), metadata={"unit": "rad"})]))
    assert own_places(radians, {"ra": "ra"}) == {}


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "-2", ""], pa.int64()),
        ([str(BIG), "2"], pa.int64()),
        (["1.5", "2", " NaN"], pa.float64()),
        (["1.5", None, "-0.25"], pa.float64()),
        (["1.5", "00.25"], pa.string()),
        ([None, None], pa.string()),
        (["1e-3", "2"], pa.float64()),
        (["007", "1"], pa.string()),
        (["18446744073709551615"], pa.string()),
        (["12345678901234567890", "1.5"], pa.string()),
        (["1", "a"], pa.string()),
        (["", ""], pa.string()),
        (["1.5", "1.2.3"], pa.string()),
        (["inf", "1"], pa.float64()),
    ],
)
def test_text_becomes_numbers_only_where_nothing_is_lost(texts, kind):
    table = pa.table({"a": pa.array(texts, pa.string())})
    types = column_types([table])
    assert types == {"a": kind}
    assert typed(table, types).schema.field("a").type == kind


@pytest.mark.parametrize(
    "batches", [[["1", "2"], ["x", ""]], [["12345678901234567"], ["1.5"]], [[""], ["7"]], [["1"], ["2.5"]]]
)
def test_the_type_of_text_is_the_same_in_one_piece_and_in_several(batches):
    whole = column_types([pa.table({"a": [text for batch in batches for text in batch]})])
    assert column_types(pa.table({"a": batch}) for batch in batches) == whole
    assert column_types(pa.table({"a": batch}) for batch in reversed(batches)) == whole


def test_batches_have_one_schema(given, found):
    types = column_types([given])
    parts = [answered(typed(given.slice(row, 1), types), found.iloc[[row]], {}, {}) for row in (0, 1)]
    assert parts[0].schema.equals(parts[1].schema, check_metadata=True)
    assert pa.concat_tables(parts).equals(answered(typed(given, types), found, {}, {}))


def test_the_header_names_network_version_and_range_and_has_a_date_only_where_it_can_be_repeated(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    header = header_of(FACTS, "abc")
    assert header["network"] == "extended-crossmodal"
    assert header["fingerprint"] == "abc"
    assert header["training"] == "1,234 objects at redshifts 0.1 to 4.25"
    assert header["warning"] == SYNTHETIC
    assert "date" not in header
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert header_of(FACTS, "abc")["date"] == "2023-11-14T22:13:20Z"
    assert "warning" not in header_of(FACTS | {"made": {"survey": "sdss"}}, "abc")
    assert "warning" in header_of({}, None, "embedded")
    assert "warning" not in header_of({}, None, "sdss")
    scores = {"phot+img": {"n": 1234, "rmse": 0.1, "sigma_nmad": 0.05, "crps": 1.0}, "phot_gen+img_gen": {"n": 1}}
    said = "phot+img: RMSE of dz 0.100, sigma_NMAD 0.050 on 1,234 test objects"
    assert header_of(FACTS | {"ensemble": {"scores": scores}}, "abc")["scores"] == said
    assert header_of({}, None, "sdss", {"scores": scores})["scores"] == said
    assert "scores" not in header


def test_every_column_is_described():
    for name in ("z_phot", "weight_12", "p_peak_2", "p_QSO", "p_qso", "p_a+b:c", "sigma_0"):
        assert described(name)[1].meaning
    assert described("p_peak_1")[1].meaning != described("p_STAR")[1].meaning
    with pytest.raises(KeyError):
        described("specz")
    assert all(re.fullmatch(r"[A-Za-z.;]+", column.ucd) for column in COLUMNS.values())


def written(answer, folder, suffix):
    path = folder / f"out{suffix}"
    write_table(answer, path)
    return path


@pytest.mark.parametrize("suffix", [".fits", ".vot", ".ecsv", ".parquet"])
def test_pdfs_are_arrays_as_mixtures_on_a_grid_or_not_there(given, found, tmp_path, suffix):
    mixture = read_all(written(finished(given, {}, found, {}), tmp_path, suffix))
    assert mixture["pdf_weight"].to_pylist()[0] == [0.25, 0.75]
    assert mixture["pdf_sigma"].to_pylist()[0] == [0.05, 0.1]
    assert not np.isfinite(np.array(mixture["pdf_mean"].to_pylist()[1], float)).any()
    table = finished(given, {}, found, {}, pdf="grid")
    assert header_in(table.schema)["pdf_z"] == "0 to 7 in steps of 0.01"
    grid = read_all(written(table, tmp_path, suffix))
    p = np.array(grid["pdf"].to_pylist()[0], float)
    assert p.sum() * 0.01 == pytest.approx(1, abs=1e-3)
    assert np.sum(p * GRID) * 0.01 == pytest.approx(0.25 * np.expm1(1.1) + 0.75 * np.expm1(1.2), rel=0.01)
    none = finished(given, {}, found, {}, pdf="none")
    assert not [name for name in none.column_names if name.startswith(("pdf", "weight", "mean", "sigma"))]
    with pytest.raises(CrosszError, match="a CSV has no arrays"):
        finished(given, {}, found, {}, text=True, pdf="grid")


def test_fits_has_units_ucds_comments_and_the_header(answer, tmp_path):
    with fits.open(written(answer, tmp_path, ".fits")) as hdus:
        header, data = hdus[1].header, hdus[1].data
        place = {data.columns[n].name: n + 1 for n in range(len(data.columns))}
        assert header[f"TUNIT{place['umag']}"] == "mag"
        assert header[f"TUCD{place['umag']}"] == "phot.mag;em.opt.U"
        assert header[f"TUCD{place['crossz_z_phot']}"] == "src.redshift.phot;meta.main"
        assert header[f"TCOMM{place['z_median']}"] == "median of the PDF"
        assert header["WARNING"] == hdus[0].header["WARNING"] == SYNTHETIC
        assert header["NETWORK"] == "extended-crossmodal"
        assert header["FPRINT"] == "f" * 64
    read = Table.read(tmp_path / "out.fits", hdu=1)
    assert read["objID"].tolist() == [BIG, BIG + 1]
    assert read["n"].tolist() == [1, None]
    assert read["out_of_domain"].tolist() == [True, False]
    assert read["Name"].tolist() == ['Ton "618", a', "na\\xefve"]  # FITS has no other letters


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_each_kind_of_column_is_the_same_in_fits(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "_AT_ONCE", 2)
    kinds = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
    columns = {kind.__name__: np.array([0, 1, 7, *[np.iinfo(kind).max] * 2], kind) for kind in kinds}
    columns |= {"flag": np.array([True, False, True, True, False]), "real": np.array([1.5, np.nan, -1e300, 0, 2])}
    columns["text"] = np.array(["x", "", "abc", "a b", "yz"])
    table = pa.table(columns).append_column("gap", pa.array([1, None, 3, None, 5], pa.int16()))
    array = np.arange(10, dtype=np.float32)
    table = table.append_column("array", pa.FixedSizeListArray.from_arrays(pa.array(array), 2)).slice(0, rows)
    read = Table.read(written(table, tmp_path, ".fits"))
    assert read.colnames == table.column_names
    for name, values in columns.items():
        np.testing.assert_array_equal(np.ma.filled(read[name], {"text": "", "real": np.nan}.get(name)), values[:rows])
    np.testing.assert_array_equal(read["array"], array.reshape(5, 2)[:rows])
    assert read["gap"].tolist() == table["gap"].to_pylist()
    assert (tmp_path / "out.fits").stat().st_size % 2880 == 0


def test_votable_ecsv_and_parquet_have_the_same(answer, tmp_path):
    table = parse_single_table(written(answer, tmp_path, ".vot"))
    field = table.get_field_by_id_or_name("umag")
    assert (str(field.unit), field.ucd, field.description) == ("mag", "phot.mag;em.opt.U", "a magnitude")
    assert SYNTHETIC in (tmp_path / "out.vot").read_text()
    read = read_all(tmp_path / "out.vot")
    assert read["Name"].to_pylist() == ['Ton "618", a', "naïve"]
    assert read["n"].to_pylist() == [1, None]
    ecsv = Table.read(written(answer, tmp_path, ".ecsv"))
    assert ecsv.meta["warning"] == SYNTHETIC
    assert (str(ecsv["umag"].unit), ecsv["umag"].description) == ("mag", "a magnitude")
    assert ecsv["objID"].tolist() == [BIG, BIG + 1]
    schema = pq.read_schema(written(answer, tmp_path, ".parquet"))
    assert schema.metadata[b"IVOA.VOTable-Parquet.version"] == b"1.0"
    described_by = parse_single_table(io.BytesIO(schema.metadata[b"IVOA.VOTable-Parquet.content"]))
    assert [field.name for field in described_by.fields] == answer.column_names
    assert described_by.get_field_by_id_or_name("umag").ucd == "phot.mag;em.opt.U"
    assert json.loads(schema.metadata[b"crossz.header"])["warning"] == SYNTHETIC


def test_parquet_is_read_back_under_our_names_with_whole_ids(answer, found, tmp_path):
    path = written(answer, tmp_path, ".parquet")
    frame, header = read_answer(path)
    assert header["network"] == "extended-crossmodal"
    assert frame[["weight_0", "weight_1", "sigma_1"]].iloc[0].tolist() == [0.25, 0.75, 0.1]
    assert frame["objID"].tolist() == [BIG, BIG + 1]
    assert frame["ra"].tolist() == [187.05, 10.25]
    assert frame["z_phot"].tolist()[0] == 2.25
    assert set(frame) == set(found)
    assert pd.read_parquet(path)["duplicate_of"].tolist() == [pd.NA, 0]
    assert frame["duplicate_of"].tolist() == [pd.NA, 0]


def test_a_csv_keeps_the_text_of_its_source_and_says_the_network_in_a_column(given, found, tmp_path):
    whole = finished(given, {"objID": "objID"}, found, header_of(FACTS, "abc"), text=True)
    path = written(whole, tmp_path, ".csv")
    read, source = pd.read_csv(path, dtype=str), pd.read_csv(tmp_path / "list.csv", dtype=str)
    assert list(read)[: len(list(source))] == list(source)
    kept = [name for name in source if name != "note"]
    assert read[kept].equals(source[kept])
    assert read["note"].tolist() == ["'=1+1", "'-"]  # no spreadsheet computes it
    assert set(read["crossz_network"]) == {f"extended-crossmodal; abc; {SYNTHETIC}"}
    assert read["crossz_z_phot"].tolist()[0] == "2.25"
    assert read["weight_1"].tolist()[0] == "0.75"


@pytest.mark.parametrize("suffix", WRITERS)
def test_equal_tables_give_equal_bytes(answer, tmp_path, suffix):
    first = written(answer, tmp_path, suffix).read_bytes()
    assert written(answer, tmp_path, suffix).read_bytes() == first


AWKWARD = pa.table(
    {
        "flux": pa.array([[1.5, 2.5, np.nan], [3.0, 4.0, 5.0]], pa.list_(pa.float64(), 3)),
        "flag": pa.array([True, None]),
        "small": pa.array([None, 7], pa.int16()),
        "text": ['<b> & "q"', "two words\tand\x01more"],
        "list": pa.array([[1, 2], None]),
        "none": pa.array([None, None], pa.string()),
        "real": pa.array([1e-300, None], pa.float32()),
    }
)


@pytest.mark.parametrize("suffix", WRITERS)
def test_any_column_of_the_user_is_written(tmp_path, suffix):
    read = read_all(written(AWKWARD, tmp_path, suffix))
    assert read.column_names == AWKWARD.column_names
    assert read.num_rows == 2
    if suffix == ".csv":
        return
    assert read["flux"].to_pylist()[1] == [3.0, 4.0, 5.0]
    assert read["small"].to_pylist() == [None, 7]
    assert read["real"].to_pylist()[1] in (None, pytest.approx(np.nan, nan_ok=True))
    if suffix == ".fits":
        assert read["text"].to_pylist()[0] == AWKWARD["text"].to_pylist()[0]
        assert read["flag"].to_pylist() == ["True", None]
    else:
        assert read["flag"].to_pylist() == [True, None]
        assert read["text"].to_pylist()[0] == AWKWARD["text"].to_pylist()[0]


@pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS (Debian: stilts) is not installed")
@pytest.mark.parametrize("suffix", [".fits", ".vot", ".csv"])  # Debian's STILTS has neither ECSV nor Parquet
def test_stilts_reads_it_without_a_warning(answer, tmp_path, suffix):
    path = written(answer, tmp_path, suffix)
    kind = {".vot": "votable"}.get(suffix, suffix[1:])
    command = ["stilts", "tpipe", f"in={path}", f"ifmt={kind}", "omode=out", "ofmt=csv", "out=-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    read = pd.read_csv(io.StringIO(done.stdout), dtype=str)
    assert list(read)[: answer.num_columns] == answer.column_names
    assert read["objID"].tolist() == [str(BIG), str(BIG + 1)]
    assert read["n"].isna().tolist() == [False, True]
    assert read["crossz_z_phot"].astype(float).tolist()[0] == 2.25
    if suffix != ".csv":
        meta = subprocess.run(
            [
                "stilts",
                "tpipe",
                f"in={path}",
                f"ifmt={kind}",
                "cmd=meta name units ucd description",
                "ofmt=csv",
                "out=-",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        row = pd.read_csv(io.StringIO(meta.stdout), index_col=0).loc["umag"]
        assert row.iloc[0] == "mag"
    if suffix == ".vot":
        lint = subprocess.run(["stilts", "votlint", f"votable={path}"], capture_output=True, text=True, check=False)
        assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")


def test_the_summary_counts_what_is_flagged():
    table = pd.DataFrame(
        {"status": ["ok", "ok", "no_data"], "inputs": ["phot", "phot", ""], "missing": ["u", "", "ugriz"]}
    )
    table = table.assign(out_of_domain=[True, False, False], faint=[True, True, False], edge=False)
    half = [counted(table.head(1)), counted(table.tail(2))]
    said = "3 targets: ok 2, no_data 1; from phot 2; 1 out of the training domain, 2 faint, 1 without some band"
    assert summary(*half) == summary(counted(table)) == said


@pytest.mark.parametrize("suffix", [".csv", ".fits", ".vot", ".ecsv"])
def test_what_python_or_xml_has_not_is_written_too(tmp_path, suffix):
    far = pa.array([1 << 60, None])
    columns = {
        "date": far.cast(pa.date64(), safe=False),
        "time": far.cast(pa.timestamp("s")),
        "span": far.cast(pa.duration("s")),
        "text": ["\ufffe\x1f", ""],
        "gaps": pa.array([[1.0, 2.0], None], pa.list_(pa.float64(), 2)),
    }
    read = read_all(written(pa.table(columns), tmp_path, suffix))
    assert len(read) == 2
    assert str(read["span"].to_pylist()[0]) == str(1 << 60)


def test_times_of_a_zone_that_is_none_are_refused(tmp_path):
    table = pa.table({"time": pa.array([0], pa.timestamp("us", "Mars/Olympus"))})
    with pytest.raises(CrosszError, match="dates that cannot be written"):
        write_table(table, tmp_path / "o.csv")


def test_text_of_64_bits_becomes_numbers_too():
    table = pa.table({"a": pa.array([" 5 ", ""], pa.large_string())})
    assert typed(table, column_types([table]))["a"].to_pylist() == [5, None]


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("x" * 69, ".fits"),
        ("'" * 35, ".fits"),
        ("é" * 18, ".fits"),
        ("", ".ecsv"),
        ("a\nb", ".ecsv"),
        (" ", ".fits"),
        ("", ".vot"),
    ],
)
def test_a_column_that_the_format_cannot_have_is_refused_with_the_first_rows(tmp_path, name, suffix):
    table = pa.table({name: [1.0]})
    wanted = r"has no (name so long|such name)"
    with pytest.raises(CrosszError, match=wanted), opened(tmp_path / f"o{suffix}") as write:
        write(table)
    with pytest.raises(CrosszError, match=r"write \.parquet or \.csv"):
        write_table(table, tmp_path / f"p{suffix}")


def test_control_characters_of_a_name_are_written_in_ascii(tmp_path):
    assert read_all(written(pa.table({"\x1b[31m": [1.0]}), tmp_path, ".fits")).column_names == [r"\x1b[31m"]
