"""Identifiers of the archive, part by part."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from crossz.sdss import identifiers


def test_objIDs_of_the_archive():
    assert identifiers.obj_id(2141, 3, 46, 123) == (1237654669735362939 & ~0xFFFF) | 123
    parts = identifiers.unpack_obj_id(1237654669735362939)
    assert (parts["run"], parts["camcol"], parts["field"], parts["rerun"]) == (2141, 3, 46, 301)


@given(st.integers(1, 0xFFFF), st.integers(1, 6), st.integers(1, 0xFFF), st.integers(0, 0xFFFF))
def test_objIDs_return_their_parts(run, camcol, field, obj):
    parts = identifiers.unpack_obj_id(identifiers.obj_id(run, camcol, field, obj))
    names = ("run", "camcol", "field", "obj", "rerun", "sky_version")
    assert tuple(int(parts[name]) for name in names) == (run, camcol, field, obj, 301, 2)


def test_specObjIDs_of_the_archive():
    assert identifiers.spec_obj_id(10000, 57346, 5, "v5_10_0") == 11259000566062227456  # beyond 2^63
    assert identifiers.spec_obj_id(1251, 52964, 8, "26") == 1408503032211073024


@given(
    st.integers(266, 16383), st.integers(50000, 66383), st.integers(1, 1000), st.sampled_from(["26", "103", "v5_13_2"])
)
def test_specObjIDs_return_their_parts(plate, mjd, fiberID, run2d):
    parts = identifiers.unpack_spec_obj_id(identifiers.spec_obj_id(plate, mjd, fiberID, run2d))
    assert parts == {"plate": plate, "mjd": mjd, "fiberID": fiberID, "run2d": run2d}


def test_identifiers_of_the_real_catalog(sdss):
    real = pd.read_csv(sdss / "cutouts" / "catalog.csv", dtype={"specObjID": str, "objID": "int64"})
    parts = identifiers.unpack_obj_id(real["objID"])
    # A fifth of that file's rows carry the objID of another detection of their quasar.
    same = np.all([parts[name] == real[name] for name in ("run", "camcol", "field")], axis=0)
    assert same.mean() > 0.75
    assert set(parts["rerun"]) == {301}
    np.testing.assert_array_equal(
        identifiers.obj_id(*(parts[name] for name in ("run", "camcol", "field", "obj"))), real["objID"]
    )
    for specObjID in real["specObjID"]:
        own = identifiers.unpack_spec_obj_id(specObjID)
        again = identifiers.spec_obj_id(own["plate"], own["mjd"], own["fiberID"], own["run2d"])
        assert again == int(specObjID) - (int(specObjID) & 0x3FF)
