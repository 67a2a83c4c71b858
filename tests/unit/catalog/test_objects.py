"""Rows in, one row per objID out: nothing lost unaccounted, nothing dependent on order."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy import BIG, rows

from crossz.catalog.objects import dedupe, groups, write_catalog
from crossz.catalog.raw import write_raw
from crossz.core import files
from crossz.core.errors import CrosszError

spectra = st.lists(
    st.tuples(
        st.integers(1, 4),
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
    assert (
        counts["rows"]
        == counts["objects"]
        + counts["dropped_impossible"]
        + counts["dropped_failed_fit"]
        + counts["dropped_repeated_objID"]
    )

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


def catalog_of(folder):
    """Where a catalog is written."""
    return {"catalog": folder / "c.parquet", "counts": folder / "c.json"}


def test_write_catalog_accounts_for_every_row(tmp_path):
    raw = rows(objID=[1, 1, 2, 3], zErr=[2e-4, 1e-4, -1.0, 1e-4], ra=[0.0, 0, 1, 2])
    write_raw(
        pa.Table.from_pandas(raw, preserve_index=False),
        "q",
        tmp_path / "raw.parquet",
        tmp_path / "r.json",
        {},
    )
    write_catalog(raw=tmp_path / "raw.parquet", **catalog_of(tmp_path), radius_arcsec=1.0)
    counts = json.loads((tmp_path / "c.json").read_text())
    assert counts == {
        "rows": 4, "dropped_impossible": 0, "dropped_failed_fit": 1, "dropped_repeated_objID": 1, "objects": 2, "groups": 2,
        "sha256": files.digests(tmp_path / "c.parquet"),
    }  # fmt: skip
    written = pq.read_table(tmp_path / "c.parquet")
    assert written["specObjID"].to_pylist() == [1, 3]
    assert written.schema.field("specObjID").type == pa.uint64()


def test_a_catalog_without_one_valid_redshift_is_refused(tmp_path):
    raw = rows(objID=[1], zErr=[-1.0])
    write_raw(
        pa.Table.from_pandas(raw, preserve_index=False),
        "q",
        tmp_path / "raw.parquet",
        tmp_path / "r.json",
        {},
    )
    with pytest.raises(CrosszError, match="none of its 1 rows"):
        write_catalog(raw=tmp_path / "raw.parquet", **catalog_of(tmp_path), radius_arcsec=1.0)
    assert not (tmp_path / "c.parquet").exists()
