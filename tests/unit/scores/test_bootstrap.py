"""The weighted bootstrap: the scores of resampled rows, to rounding, whatever their ties and repeats."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossz.scores import bootstrap, metrics

AROUND = [-0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15, 0.3]  # ties, and errors at the strict thresholds


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.booleans())
def test_scores_under_weights_are_those_of_the_rows_repeated(seed, n, ties):
    rng = np.random.default_rng(seed)
    objID = rng.integers(max(n // 2, 1), size=n) * 1013
    z_spec = np.zeros(n)  # dz is z_phot, without rounding
    error = rng.choice(AROUND, n) if ties else rng.standard_t(2, n) * 0.1
    draws = bootstrap.draw(objID, seed, 20)
    samples = bootstrap.resampled(error, draws)
    for sample, times in enumerate(draws.times):
        rows = np.repeat(np.arange(n), times[draws.object_of])
        plain = metrics.score(z_spec[rows], error[rows])
        for name in bootstrap.SCORES:
            assert samples[name][sample] == pytest.approx(plain[name], abs=1e-13), name


def test_many_rows_go_by_parts_and_give_the_same(monkeypatch):
    rng = np.random.default_rng(1)
    error, draws = rng.normal(0, 0.1, 500), bootstrap.draw(np.arange(500), 2, 30)
    at_once = bootstrap.resampled(error, draws)
    monkeypatch.setattr(bootstrap, "_AT_ONCE", 2000)
    parts = bootstrap.resampled(error, draws)
    for name in bootstrap.SCORES:
        np.testing.assert_array_equal(at_once[name], parts[name])


def test_a_sample_holds_as_many_objects_as_there_are_and_each_once_in_the_mean():
    objID = np.repeat(np.arange(300), 3)
    draws = bootstrap.draw(objID, 5, 400)
    assert (draws.times.sum(1) == 300).all()
    assert draws.times.mean() == 1
    assert draws.times.var() == pytest.approx(1 - 1 / 300, rel=0.02)  # of a multinomial count
    np.testing.assert_array_equal(draws.times, bootstrap.draw(objID, 5, 400).times)
    assert (draws.times != bootstrap.draw(objID, 6, 400).times).any()


def test_errors_are_those_of_theory():
    n, sd = 4000, 0.08
    error = np.random.default_rng(3).normal(0, sd, n)
    samples = bootstrap.resampled(error, bootstrap.draw(np.arange(n), 4, 400))
    inside = 0.7887  # of a Gaussian within 1.25 sigma
    assert samples["rmse"].std() == pytest.approx(sd / np.sqrt(2 * n), rel=0.15)
    assert samples["bias_median"].std() == pytest.approx(1.2533 * sd / np.sqrt(n), rel=0.2)
    assert samples["sigma_nmad"].std() == pytest.approx(1.1664 * sd / np.sqrt(n), rel=0.2)
    assert samples["frac_lt_0.1"].std() == pytest.approx(np.sqrt(inside * (1 - inside) / n), rel=0.15)
