"""The rows of a split: those with an image, with the columns that a model reads."""

import pandas as pd
import pytest
import toy

from crossz.core.errors import CrosszError
from crossz.images.store import ImageStore
from crossz.models import features as ft
from crossz.models.rows import load_rows


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"), n=60)


def test_a_column_that_the_catalog_lacks_is_left_to_who_reads_it(survey):
    rows = load_rows(survey.catalog, survey.split, ImageStore(survey.index, []), ["z", "W1"])
    assert rows.columns.tolist() == ["objID", "subset", "row", "z"]
    with pytest.raises(CrosszError, match=r"column W1 of photometry\.columns is not there"):
        ft.photometry(load_rows(survey.catalog, survey.split, ImageStore(survey.index, [])), "psf", ["W1"])


@pytest.mark.parametrize("magnitudes", ["dered_model", "psf"])
def test_a_few_columns_are_enough_for_the_photometry(survey, magnitudes):
    store = ImageStore(survey.index, [])
    every = load_rows(survey.catalog, survey.split, store)
    few = load_rows(survey.catalog, survey.split, store, ["z", *ft.photometry_columns(magnitudes)])
    assert len(few.columns) == 4 + 15  # objID, subset, row, z
    pd.testing.assert_frame_equal(few, every[few.columns])
    for one, other in zip(ft.photometry(few, magnitudes), ft.photometry(every, magnitudes), strict=True):
        assert (pd.DataFrame(one).fillna(-1) == pd.DataFrame(other).fillna(-1)).all(axis=None)
