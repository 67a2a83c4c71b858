"""Redshift PDFs: closed forms against numbers, a proper score, temperatures, peaks and intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixtures import draw, mixtures
from scipy import integrate, stats

from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture


def test_density_and_cdf_are_the_mixture_s():
    pdfs = mixtures(3)
    y = np.array([0.9, 1.0, 1.4])
    for row in range(3):
        parts = [stats.norm(m, s) for m, s in zip(pdfs.mean[row], pdfs.sigma[row], strict=True)]
        assert pdf.density(pdfs, y)[row] == pytest.approx(
            sum(w * p.pdf(y[row]) for w, p in zip(pdfs.weight[row], parts, strict=True))
        )
        assert pdf.cdf(pdfs, y)[row] == pytest.approx(
            sum(w * p.cdf(y[row]) for w, p in zip(pdfs.weight[row], parts, strict=True))
        )


def test_crps_is_the_integral_that_defines_it():
    pdfs, y = mixtures(5), np.array([0.7, 0.9, 1.1, 1.3, 2.0])
    for row in range(5):
        single = Mixture(*(part[row : row + 1] for part in pdfs))

        def squared(x, single=single, truth=y[row]):
            return (pdf.cdf(single, np.array([x]))[0] - (x >= truth)) ** 2

        expected = sum(integrate.quad(squared, *span, limit=400)[0] for span in ((-1, y[row]), (y[row], 4)))
        assert pdf.crps(pdfs, y)[row] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("components", [1, 3, 12])
def test_the_crps_of_an_object_does_not_depend_on_the_others(components, monkeypatch):
    pdfs = mixtures(50, components)
    y = draw(pdfs)
    alone = [pdf.crps(Mixture(*(part[row : row + 1] for part in pdfs)), y[row : row + 1])[0] for row in range(50)]
    np.testing.assert_allclose(pdf.crps(pdfs, y), alone, rtol=1e-13)
    monkeypatch.setattr(pdf, "_CACHED", 84)  # blocks of 7 to 84 objects
    np.testing.assert_allclose(pdf.crps(pdfs, y), alone, rtol=1e-13)


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-0.2, 0.2), width=st.floats(0.5, 2.0))
def test_crps_is_proper_no_other_pdf_scores_better_than_the_true_one(shift, width):
    truth = Mixture(np.tile([0.7, 0.3], (20_000, 1)), np.tile([0.9, 1.4], (20_000, 1)), np.full((20_000, 2), 0.1))
    y = draw(truth)
    other = truth._replace(mean=truth.mean + shift, sigma=truth.sigma * width)
    assert pdf.crps(truth, y).mean() <= pdf.crps(other, y).mean() + 4e-4


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.0])
def test_the_temperature_mends_pdfs_of_the_wrong_width(truth):
    pdfs = mixtures(4000)
    y = draw(pdfs)
    assert pdf.fit_temperature(pdf.temperature_scaled(pdfs, 1 / truth), y) == pytest.approx(truth, rel=0.08)


def test_two_peaks_come_with_their_redshifts_and_weights():
    pdfs = Mixture(np.array([[0.3, 0.7], [0.5, 0.5]]), np.array([[0.8, 1.5], [1.0, 1.01]]), np.full((2, 2), 0.05))
    z, share = pdf.peaks(pdfs)
    np.testing.assert_allclose(np.log1p(z[0]), [1.5, 0.8], atol=0.01)
    np.testing.assert_allclose(share[0], [0.7, 0.3], atol=0.005)
    assert np.log1p(z[1, 0]) == pytest.approx(1.005, abs=0.01)
    assert np.isnan(z[1, 1])
    assert share[1].tolist() == pytest.approx([1.0, 0.0])


def test_intervals_are_quantiles_of_z():
    single = Mixture(np.ones((1, 1)), np.array([[1.2]]), np.array([[0.1]]))
    low, high = pdf.interval(single, 0.68)
    assert np.log1p([low[0], high[0]]) == pytest.approx(stats.norm(1.2, 0.1).ppf([0.16, 0.84]), abs=1e-3)


def test_blocks_change_nothing(monkeypatch):
    pdfs = mixtures(50)
    at_once = pdf.peaks(pdfs)[1], pdf.interval(pdfs, 0.95)[0]
    monkeypatch.setattr(pdf, "_BLOCK", 7)
    for before, after in zip(at_once, (pdf.peaks(pdfs)[1], pdf.interval(pdfs, 0.95)[0]), strict=True):
        np.testing.assert_array_equal(before, after)


def test_an_ensemble_is_the_mean_of_its_members():
    members = [mixtures(20, k, seed) for seed, k in enumerate((2, 3, 4))]
    pdfs, y = pdf.ensemble(members), np.linspace(0.7, 1.5, 20)
    np.testing.assert_allclose(pdfs.weight.sum(1), 1)
    np.testing.assert_allclose(pdf.cdf(pdfs, y), np.mean([pdf.cdf(member, y) for member in members], axis=0))
    np.testing.assert_allclose(pdf.mean(pdfs), np.mean([pdf.mean(member) for member in members], axis=0))


def test_z_mean_has_the_smallest_expected_square_of_dz():
    pdfs = mixtures(6)
    grid = np.expm1(np.linspace(0.2, 2.5, 4001))
    for row in range(6):
        single = Mixture(*(part[row : row + 1] for part in pdfs))
        best = pdf.z_mean(single)[0]
        z, weight = np.expm1(y := np.linspace(-2, 4, 200_001)), pdf.density(single, y[None])[0]

        def cost(z_phot, z=z, weight=weight):
            return (weight * ((z_phot - z) / (1 + z)) ** 2).sum()

        costs = [cost(z_phot) for z_phot in grid[::20]]
        assert cost(best) <= min(costs)
        assert cost(best) < min(cost(best * 0.995), cost(best * 1.005))


def test_z_mean_of_one_gaussian_is_less_than_its_median_and_never_overflows():
    wide = Mixture(np.ones((1, 1)), np.array([[1.0]]), np.array([[0.2]]))
    assert pdf.z_mean(wide)[0] == pytest.approx(np.expm1(1 - 1.5 * 0.2**2))
    narrow = Mixture(np.array([[0.5, 0.5]]), np.array([[1.0, 900.0]]), np.array([[1e-4, 1e-4]]))
    assert pdf.z_mean(narrow)[0] == pytest.approx(np.e - 1, rel=1e-3)


def test_odds_are_the_probability_near_an_estimate():
    sigma = 0.03
    one = Mixture(np.ones((1, 1)), np.array([[np.log(3.0)]]), np.array([[sigma]]))
    low, high = np.log([0.94, 1.06]) / sigma
    assert pdf.odds(one, np.array([2.0]))[0] == pytest.approx(stats.norm.cdf(high) - stats.norm.cdf(low))
    assert pdf.odds(one, np.array([5.0]))[0] < 1e-9
