"""The pool of two PDFs: weights that are known to be right, and objects that have one of the two."""

import numpy as np
import pytest

from crossz.estimates import pdf, stack
from crossz.estimates.estimates import Pdf
from crossz.estimates.pdf import Mixture
from crossz.estimates.stack import Pool


def gaussians(mean, sigma):
    mean = np.asarray(mean, float)[:, None]
    return Pdf(Mixture(np.ones_like(mean), mean, np.full_like(mean, sigma)))


def made(errors, seed=0, count=2000):
    """True z of objects, and PDFs that know y with each of `errors`, independently."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(0.5, 1.5, count)
    return np.expm1(y), *(gaussians(y + rng.normal(0, error, count), error) for error in errors)


def test_of_two_equal_pdfs_each_counts_half_and_the_pool_is_better_and_calibrated():
    z, one, other = made([0.1, 0.1])
    pool = stack.fit(one, other, z)
    assert pool.weight == pytest.approx(0.5, abs=0.1)
    both = stack.pooled(one, other, np.ones(len(z), bool), pool)
    assert both.score(z) < 0.9 * one.score(z)
    assert both.error(z) < 0.8 * one.error(z)
    assert both.fit_temperature(z) == pytest.approx(1, abs=0.03)


def test_a_pdf_that_knows_nothing_has_no_weight():
    z, good, _ = made([0.02, 0.1])
    nothing = gaussians(np.full(len(z), 1.0), 0.3)
    assert stack.fit(good, nothing, z).weight == 0
    assert stack.fit(nothing, good, z).weight == 1


def test_without_a_validation_object_the_network_stands_alone():
    none = gaussians([], 0.1)
    assert stack.fit(none, none, np.zeros(0)) == Pool(0.0, 1.0)


def test_an_object_without_trees_keeps_the_pdf_of_the_network():
    _, one, other = made([0.1, 0.2], count=4)
    there = np.array([True, False, True, False])
    both = stack.pooled(one, other.take(np.flatnonzero(there)), there, Pool(0.4, 1.5))
    y = np.linspace(0, 2, 7) * np.ones((4, 1))
    alone, theirs = pdf.cdf(one.mixture, y), pdf.cdf(other.mixture, y)
    wide = [pdf.cdf(pdf.temperature_scaled(each.mixture, 1.5), y) for each in (one, other)]
    np.testing.assert_allclose(pdf.cdf(both.mixture, y)[~there], alone[~there])
    np.testing.assert_allclose(pdf.cdf(both.mixture, y)[there], (0.6 * wide[0] + 0.4 * wide[1])[there])
    assert np.isfinite(theirs).all()
    z, probability = pdf.peaks(both.mixture)
    np.testing.assert_allclose(z[~there, 0], np.expm1(one.mixture.mean[~there, 0]))
    np.testing.assert_allclose(probability[~there], [[1, 0]] * 2)
