"""PDFs of the references: moments of what they are merged from, and distributions that are known."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from crossz.estimates import parts, pdf
from crossz.models import reference_pdfs


def moments(mixture):
    mean = pdf.mean(mixture)
    return mean, (mixture.weight * (mixture.sigma**2 + mixture.mean**2)).sum(1) - mean**2


@pytest.mark.parametrize("leaf", [1, 6])
@pytest.mark.parametrize("forest", [RandomForestRegressor, ExtraTreesRegressor])
def test_leaves_have_the_moments_of_the_training_targets_in_them(forest, leaf):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 3))
    y = x[:, 0] + rng.normal(0, 0.3, 200)
    model = make_pipeline(FunctionTransformer(), forest(20, min_samples_leaf=leaf, random_state=0)).fit(x, y)
    new = rng.normal(size=(40, 3))
    weight = np.zeros((40, 200))  # of each target, as a quantile regression forest has them
    for tree, drawn in zip(model[-1].estimators_, model[-1].estimators_samples_, strict=True):
        times = np.bincount(drawn, minlength=200)
        inside = times * (tree.apply(x)[None] == tree.apply(new)[:, None])
        weight += inside / inside.sum(1, keepdims=True) / 20
    mean, variance = moments(reference_pdfs.of_trees(model, new))
    np.testing.assert_allclose(mean, weight @ y, rtol=1e-9)
    np.testing.assert_allclose(variance, weight @ y**2 - (weight @ y) ** 2, rtol=1e-6, atol=1e-9)


def test_blocks_of_objects_change_nothing(monkeypatch):
    rng = np.random.default_rng(2)
    y, row = rng.normal(size=50), rng.integers(50, size=(10, 5))
    whole = reference_pdfs.of_neighbours(y, row, np.full((10, 5), 0.2))
    monkeypatch.setattr(reference_pdfs, "_BLOCK", 3)
    for a, b in zip(reference_pdfs.of_neighbours(y, row, np.full((10, 5), 0.2)), whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_sample_serves_all_objects_around_their_own_estimates():
    errors = np.random.default_rng(3).exponential(0.1, 4000)  # not symmetric
    mixture = parts.blurred(reference_pdfs.of_sample(np.array([0.5, 1.5]), errors), 0.005)
    np.testing.assert_allclose(pdf.mean(mixture), [0.5, 1.5], rtol=1e-12)
    level = pdf.cdf(mixture, np.array([0.5, 1.5]))
    np.testing.assert_allclose(level, 1 - np.exp(-1), atol=0.03)  # an exponential distribution below its mean
