"""Rows in, one row per objID out: nothing lost unaccounted, nothing dependent on order."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st
from toy import BIG, rows

from crossz.catalog.columns import COLUMNS, conform
from crossz.catalog.objects import dedupe, groups, write_catalog, write_raw, write_user_catalog
from crossz.catalog.readers import read_table
from crossz.core import files
from crossz.core.errors import CrosszError

spectra = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 2**64 - 1),
        st.sampled_from([-1.0, 0.0, 1e-5, 2e-4, 3e-4, np.nan]),
        st.sampled_from([1.5, 2.5, np.nan]),
    ),
    max_size=30,
    unique_by=lambda row: row[1],
)


@given(spectra, st.randoms(use_true_random=False))
def test_dedupe_keeps_the_smallest_valid_zErr_whatever_the_order(spectra, random):
    names = ["objID", "specObjID", "zErr", "z"]
    table = pd.DataFrame(spectra, columns=names).astype(
        {"objID": "int64", "specObjID": "uint64", "zErr": float, "z": float}
    )
    unique, counts = dedupe(table)
    valid = table[(table.zErr > 0) & table.z.notna()]
    assert unique.objID.tolist() == sorted(valid.objID.unique())
    assert (unique.zErr.to_numpy() == valid.groupby("objID").zErr.min().to_numpy()).all()
    assert counts["rows"] == len(table)
    assert counts["rows"] == counts["objects"] + counts["dropped_failed_fit"] + counts["dropped_repeated_objID"]

    order = list(range(len(table)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(dedupe(table.iloc[order])[0], unique)
    pd.testing.assert_frame_equal(dedupe(unique)[0], unique)


def test_groups_join_by_position_and_by_thing_id_in_chains_and_across_ra_zero():
    arcsec = 1 / 3600
    ra = np.array([10, 10 + 0.8 * arcsec, 10 + 1.6 * arcsec, 20, 30, 40, 360 - 0.3 * arcsec, 0.3 * arcsec])
    dec = np.zeros(8)
    thing_id = np.array([-1, 0, -1, 7, 7, 0, -1, -1])
    objID = np.arange(8)[::-1] + BIG
    group = groups(ra, dec, thing_id, objID, 1.0)
    assert (group - BIG).tolist() == [5, 5, 5, 3, 3, 2, 0, 0]
    order = np.random.default_rng(0).permutation(8)
    assert (groups(ra[order], dec[order], thing_id[order], objID[order], 1.0) == group[order]).all()


def test_an_empty_set_of_objects_has_no_groups():
    nothing = np.zeros(0)
    assert len(groups(nothing, nothing, nothing, nothing.astype(int), 1.0)) == 0


def test_ids_survive_text_files_to_the_last_digit(tmp_path):
    path = tmp_path / "query.csv"
    table = rows(objID=[BIG, BIG + 1], specObjID=np.array([2**64 - 1, 5], np.uint64))
    table.to_csv(path, index=False)
    read = conform(read_table(path, {}), str(path))
    assert read["objID"].to_pylist() == [BIG, BIG + 1]
    assert read["specObjID"].to_pylist() == [2**64 - 1, 5]


def test_a_skyserver_csv_with_its_table_line_other_case_and_mapped_names(tmp_path):
    path = tmp_path / "query.csv"
    table = rows(objID=[BIG]).rename(columns={"objID": "OBJID", "z": "redshift"})
    path.write_text("#Table1\n" + table.assign(clean="True", thing_id="").to_csv(index=False))
    read = conform(read_table(path, {"z": "redshift"}), str(path))
    assert read["objID"].to_pylist() == [BIG]
    assert read["z"].to_pylist() == [2.0]
    assert read["clean"].to_pylist() == [1]
    assert read["thing_id"].to_pylist() == [None]


def test_missing_magnitudes_are_kept_as_they_came(tmp_path):
    path = tmp_path / "query.csv"
    table = rows(objID=[1, 2, 3]).astype({"psfMag_u": object})
    table["psfMag_u"] = ["-9999.0", "", "0.0"]
    table["class"] = ["QSO", "", "null"]
    table.to_csv(path, index=False)
    read = conform(read_table(path, {}), "query.csv")
    assert read["psfMag_u"].to_pylist() == [-9999.0, None, 0.0]
    assert read["class"].to_pylist() == ["QSO", "", None]


def test_a_csv_whose_last_line_is_cut_is_refused(tmp_path):
    path = tmp_path / "query.csv"
    rows(objID=[1, 2]).to_csv(path, index=False)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(CrosszError, match=r"query\.csv: not a readable .csv table: its last line has no end"):
        read_table(path, {})


def test_a_fits_table_gives_the_same_rows_as_its_csv(tmp_path):
    table = rows(objID=[BIG, BIG + 1], zErr=[-1, 2e-4]).assign(run2d=["26", "v5_13_2"])
    table.to_csv(tmp_path / "query.csv", index=False)
    Table.from_pandas(table.astype({"specObjID": str})).write(tmp_path / "query.fits")
    brought = [conform(read_table(tmp_path / f"query.{kind}", {}), kind) for kind in ("csv", "fits")]
    assert brought[0].equals(brought[1])


@pytest.mark.parametrize("spoil", [lambda ids: ids.astype(float).astype(np.int64), lambda ids: ids // 1000 * 1000])
def test_integer_ids_that_went_through_a_float_or_a_spreadsheet_are_noticed(spoil):
    ids = BIG + 7_654_321 * np.arange(30)
    table = pa.Table.from_pandas(rows(objID=spoil(ids)), preserve_index=False)
    with pytest.raises(CrosszError, match="objID: every id is a multiple of a large number"):
        conform(table, "my.csv")
    conform(pa.Table.from_pandas(rows(objID=ids), preserve_index=False), "my.csv")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (rows(objID=[float(BIG)]), "objID holds floats"),
        (rows(objID=["1.23765466973536E+18"]), "export the column as bigint or text"),
        (rows(objID=[1]).drop(columns=["psfMag_u", "extinction_z"]), "2 problem"),
        (rows(objID=[1], psfMag_u=["bright"]), "psfMag_u is not double"),
        (rows(objID=[1], zErr=[None]), "zErr has 1 empty"),
        (rows(objID=np.zeros(0, int)), "no rows"),
    ],
)
def test_a_bad_table_is_refused_with_its_reason(table, words):
    with pytest.raises(CrosszError, match=words) as caught:
        conform(pa.Table.from_pandas(table, preserve_index=False), "my.csv")
    assert "my.csv" in str(caught.value)


def test_all_missing_columns_are_named_at_once():
    table = pa.Table.from_pandas(rows(objID=[1]).drop(columns=["psfMag_u", "extinction_z"]), preserve_index=False)
    with pytest.raises(CrosszError) as caught:
        conform(table, "my.csv")
    assert "psfMag_u" in str(caught.value)
    assert "extinction_z" in str(caught.value)


def test_a_mapped_column_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "query.csv"
    rows(objID=[1]).to_csv(path, index=False)
    with pytest.raises(CrosszError, match="redshift is no column"):
        read_table(path, {"z": "redshift"})
    with pytest.raises(CrosszError, match="no such catalog"):
        read_table(tmp_path / "absent.csv", {})


def test_write_catalog_accounts_for_every_row(tmp_path):
    raw = rows(objID=[1, 1, 2, 3], zErr=[2e-4, 1e-4, -1.0, 1e-4], ra=[0.0, 0, 1, 2])
    write_raw(
        pa.Table.from_pandas(raw, preserve_index=False),
        "q",
        tmp_path / "raw.parquet",
        tmp_path / "r.json",
        {},
    )
    write_catalog(tmp_path / "raw.parquet", tmp_path / "c.parquet", tmp_path / "c.json", 1.0)
    counts = json.loads((tmp_path / "c.json").read_text())
    assert counts == {
        "rows": 4, "dropped_failed_fit": 1, "dropped_repeated_objID": 1, "objects": 2, "groups": 2,
        "sha256": files.digests(tmp_path / "c.parquet"),
    }  # fmt: skip
    written = pq.read_table(tmp_path / "c.parquet")
    assert written["specObjID"].to_pylist() == [1, 3]
    assert written.schema.field("specObjID").type == pa.uint64()


def test_a_catalogue_without_one_valid_redshift_is_refused(tmp_path):
    raw = rows(objID=[1], zErr=[-1.0])
    write_raw(
        pa.Table.from_pandas(raw, preserve_index=False),
        "q",
        tmp_path / "raw.parquet",
        tmp_path / "r.json",
        {},
    )
    with pytest.raises(CrosszError, match="none of its 1 rows"):
        write_catalog(tmp_path / "raw.parquet", tmp_path / "c.parquet", tmp_path / "c.json", 1.0)
    assert not (tmp_path / "c.parquet").exists()


def test_extra_columns_are_kept_as_numbers_and_their_absence_is_told(tmp_path):
    given = rows(objID=[3, 4, 5], W1mpro=["15.5", "", "-9999"], empty=[np.nan] * 3, other=[1, 2, 3])
    given.to_csv(tmp_path / "mine.csv", index=False)
    made = [tmp_path / name for name in ("raw.parquet", "receipt.json")]
    write_user_catalog(tmp_path / "mine.csv", {"pm": "other"}, *made, ["w1mpro", "pm"])
    write_catalog(made[0], tmp_path / "c.parquet", tmp_path / "c.json", 1.0)
    table = pq.read_table(tmp_path / "c.parquet")
    assert table["w1mpro"].to_pylist() == [15.5, None, -9999.0]
    assert table["pm"].to_pylist() == [1.0, 2.0, 3.0]
    write_user_catalog(tmp_path / "mine.csv", {}, *made)
    assert pq.read_table(made[0]).column_names == list(COLUMNS)
    for extra_columns, words in (
        (["w9"], r"(?s)mine.csv.*w9 of photometry\.columns is missing"),
        (["empty"], "empty .*no value"),
    ):
        with pytest.raises(CrosszError, match=words):
            write_user_catalog(tmp_path / "mine.csv", {}, *made, extra_columns)
