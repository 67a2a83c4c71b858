"""Parts merged to PDFs: moments, and distributions that are known."""

import numpy as np
import pytest

from crossz.estimates import parts, pdf


def moments(mixture):
    mean = pdf.mean(mixture)
    return mean, (mixture.weight * (mixture.sigma**2 + mixture.mean**2)).sum(1) - mean**2


def test_a_merged_mixture_has_the_mean_and_the_variance_of_its_parts():
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(1, 0.3, (50, 200)), rng.exponential(0.01, (50, 200))
    weight = rng.dirichlet(np.full(200, 0.2), 50)
    merged = parts.merged(mean, variance, weight, 8)
    centre = (weight * mean).sum(1)
    found = moments(merged)
    np.testing.assert_allclose(found[0], centre, rtol=1e-12)
    np.testing.assert_allclose(found[1], (weight * (variance + mean**2)).sum(1) - centre**2, rtol=1e-10)
    np.testing.assert_allclose(merged.weight.sum(1), 1, rtol=1e-12)


def test_two_peaks_stay_apart():
    mean = np.concatenate([np.full(30, 0.5), np.full(10, 1.2)])[None]
    merged = parts.merged(mean, np.full((1, 40), 1e-4), np.full((1, 40), 1 / 40), 8)
    np.testing.assert_allclose(pdf.cdf(parts.blurred(merged, 0.01), np.array([0.85])), 0.75, atol=1e-9)


def test_parts_that_agree_are_one_component():
    merged = parts.merged(np.full((3, 7), 0.8), np.zeros(1), np.full((3, 7), 1 / 7), 8)
    np.testing.assert_allclose(pdf.mean(merged), 0.8)
    np.testing.assert_allclose(merged.sigma, 0, atol=1e-9)
    assert np.isfinite(pdf.crps(parts.blurred(merged, 0.01), np.full(3, 0.8))).all()


def test_a_kernel_ignores_outliers_and_is_never_zero():
    error = np.random.default_rng(4).normal(0, 0.1, 2000)
    error[:100] = 9.0
    assert parts.kernel(np.zeros(2000), error) == pytest.approx(0.05, rel=0.1)
    assert parts.kernel(np.zeros(9), np.zeros(9)) > 0
