"""Rows that only train: completed, in the declared range and units, and linked with the dataset's objects."""

import numpy as np
import pandas as pd
import pytest
from toy import rows

from crossz.catalog.also import NOBODY, write_also
from crossz.core.errors import CrosszError


@pytest.fixture
def made(tmp_path):
    """Writes the rows of a table beside a dataset of two objects, and reads them."""
    pd.DataFrame({"ra": [10.0, 20.0], "dec": [0.0, 0.0], "group": [71, 72]}).to_parquet(tmp_path / "catalog.parquet")

    def write(table, **changes):
        table.to_csv(tmp_path / "more.csv", index=False)
        arguments = {"units": "asinh", "columns": {}, "z": None, "images": False, "radius_arcsec": 1.0} | changes
        files = {
            "source": tmp_path / "more.csv",
            "catalog": tmp_path / "catalog.parquet",
            "also": tmp_path / "a.parquet",
        }
        write_also(**files, **arguments)
        return pd.read_parquet(tmp_path / "a.parquet")

    return write


def table():
    found = rows(objID=[31, 32, 33, 34]).assign(ra=[10.0001, 20.0 + 2 / 3600, 30.0, 500.0], dec=0.0)
    return found.assign(z=[2.0, 3.0, np.nan, 3.0])


def test_rows_know_the_object_of_the_dataset_at_their_place(made):
    found = made(table()).sort_values("ra")
    assert found["group"].tolist() == [71, NOBODY, NOBODY]  # within 0.4 arcsec, at 2 arcsec, far; the last is nowhere
    assert (found["objID"] < 0).all()  # so that no image of the dataset is taken for theirs
    assert found["z"].tolist()[:2] == [2.0, 3.0]
    assert np.isnan(found["z"].iloc[2])
    assert made(table(), images=True)["objID"].tolist() == [31, 32, 33]


def test_the_range_of_redshifts_leaves_rows_without_one(made):
    assert made(table(), z=[2.5, 5.0])["z"].fillna(-1).sort_values().tolist() == [-1, 3.0]
    with pytest.raises(CrosszError, match="none of its 3 rows is used"):
        made(table().dropna(), z=[6.0, 7.0])


def test_what_a_row_need_not_have_is_made_up_and_fluxes_are_converted(made):
    bare = table()[["ra", "dec"]]
    found = made(bare)
    assert found[["z", "psfMag_u", "extinction_z"]].isna().all(axis=None)
    with pytest.raises(CrosszError, match="objID is missing, which names the images"):
        made(bare, images=True)
    with pytest.raises(CrosszError, match="column ra is missing"):
        made(bare.drop(columns="ra"))
    fluxes = table().assign(psfMag_r=100.0, psfMagErr_r=1.0)
    assert made(fluxes, units="nmgy")["psfMag_r"].iloc[0] == pytest.approx(17.5, abs=1e-3)
