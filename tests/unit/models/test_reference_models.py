"""The references' estimators: bounded for many objects, the same as ever for few."""

import numpy as np
import pytest

from crossz.models import features as ft
from crossz.models import reference_models


def leaves(model, count):
    return [candidate[-1].min_samples_leaf for candidate in reference_models.candidates(model, 0, count)]


@pytest.mark.parametrize(("model", "small"), [("random_forest", [1, 5]), ("extra_trees", [1, 3])])
def test_leaves_grow_with_the_sample_so_that_trees_do_not(model, small):
    assert leaves(model, 200) == leaves(model, 20_000) == small
    for count in (100_000, 280_000, 10_000_000):
        assert all(count / leaf <= reference_models.LARGE for leaf in leaves(model, count))


def test_a_forest_of_many_objects_has_bounded_trees(monkeypatch):
    monkeypatch.setattr(reference_models, "LARGE", 50)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 14))
    for model in reference_models.TREES:
        for candidate in reference_models.candidates(model, 0, len(x)):
            trees = (
                candidate.set_params(**{f"{candidate.steps[-1][0]}__n_estimators": 5}).fit(x, x[:, 0])[-1].estimators_
            )
            assert max(tree.get_n_leaves() for tree in trees) <= 50


def test_relative_fluxes_are_those_of_the_magnitudes_and_missing_where_they_are():
    features = np.full((2, 14), 7.0)
    features[:, :5] = [[20.0, 19.0, 19.0, 18.0, np.nan], [20.0, 19.0, np.nan, 18.0, 17.0]]
    found = ft.with_relative_fluxes(features)
    np.testing.assert_array_equal(found[:, :14], features)
    np.testing.assert_allclose(np.sinh(found[0, 14:18]), [10**-0.4, 1, 1, 10**0.4])
    assert np.isnan(found[0, 18])
    assert np.isnan(found[1, 14:]).all()


def test_a_magnitude_that_cannot_be_has_no_infinite_flux():
    features = np.full((30, 14), 19.0)
    features[0, 0], features[1, 2] = -999.0, 3000.0
    assert np.isfinite(ft.with_relative_fluxes(features)).all()
    for candidate in reference_models.candidates("extra_trees", 0, 30):
        assert np.isfinite(candidate.fit(features, np.arange(30.0)).predict(features)).all()


def test_the_nearest_come_first_and_equal_objects_share_the_weight():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 14))
    row, distance = reference_models.nearest(x, x[:4])
    assert row.shape == distance.shape == (4, 20)  # the largest number that 30 objects allow
    np.testing.assert_array_equal(row[:, 0], np.arange(4))
    assert (np.diff(distance) >= 0).all()
    np.testing.assert_allclose(
        reference_models.closeness(np.array([[1.0, 2.0, 4.0], [0.0, 0.0, 1.0]])), [[4 / 7, 2 / 7, 1 / 7], [0.5, 0.5, 0]]
    )
