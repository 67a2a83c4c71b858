"""Redshift PDFs: closed forms against numbers, a proper score, temperatures, peaks and intervals."""

import itertools

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


@pytest.mark.parametrize("components", [1, 3, 12])
def test_each_point_stands_for_the_same_probability(components):
    pdfs = mixtures(200, components)
    found = np.sort(pdf.points(pdfs, 128), axis=1)
    # A component has its share of the points, to one at each of its ends.
    np.testing.assert_allclose(
        pdf.cdf(pdfs, found), np.tile((np.arange(128) + 0.5) / 128, (200, 1)), atol=components / 128
    )
    np.testing.assert_allclose(found.mean(1), pdf.mean(pdfs), atol=0.02)
    alone = Mixture(*(np.array([values]) for values in ([1e-12, 1 - 2e-12, 1e-12], [0.0, 1.0, 9.0], [0.1, 0.1, 0.1])))
    assert pdf.points(alone, 128).mean() == pytest.approx(1.0)


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


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_narrow_component_beside_a_wide_one_has_its_quantiles(share):
    rng = np.random.default_rng(3)
    mean = np.stack([rng.normal(1.1, 0.3, 200), rng.normal(1.1, 0.3, 200)], axis=1)
    pdfs = Mixture(np.tile([share, 1 - share], (200, 1)), mean, np.tile([0.002, 0.4], (200, 1)))
    levels = (0.001, 0.16, 0.5, 0.84, 0.999)
    y = pdf.quantiles(pdfs, levels)
    np.testing.assert_allclose(pdf.cdf(pdfs, y), np.tile(levels, (200, 1)), atol=1e-8)
    low, high = pdf.interval(pdfs, 0.68)
    np.testing.assert_allclose(np.log1p([low, high]), y[:, [1, 3]].T, atol=1e-12)


def test_quantiles_where_the_density_is_zero_or_a_single_component():
    apart = Mixture(np.full((1, 2), 0.5), np.array([[0.5, 1.5]]), np.full((1, 2), 0.002))
    y = pdf.quantiles(apart, (0.25, 0.5, 0.75))[0]
    assert y[[0, 2]] == pytest.approx([0.5, 1.5], abs=1e-9)
    assert 0.51 < y[1] < 1.5
    one = Mixture(np.ones((2, 1)), np.array([[0.7], [1.2]]), np.array([[0.1], [1e-6]]))
    normal = stats.norm(one.mean, one.sigma).ppf([0.16, 0.5, 0.975])
    np.testing.assert_allclose(pdf.quantiles(one, (0.16, 0.5, 0.975)), normal, atol=1e-9)
    assert pdf.quantiles(Mixture(*(part[:0] for part in one)), (0.5,)).shape == (0, 1)
    assert pdf.peaks(Mixture(*(part[:0] for part in one)))[0].shape == (0, 2)


def test_no_narrow_peak_is_passed_over_wherever_it_stands():
    centre = np.linspace(0.6, 1.6, 301)
    mean = np.stack([centre, np.full(301, 1.1)], axis=1)
    pdfs = Mixture(np.tile([0.05, 0.95], (301, 1)), mean, np.tile([0.002, 0.4], (301, 1)))
    z, share = pdf.peaks(pdfs)
    near = np.abs(np.log1p(z) - centre[:, None]) < 1e-3
    assert near.any(1).all()
    far = np.abs(centre - 1.1) > 0.1  # nearer to it, the wide component's own top is no peak any more
    # Its valley is some of its sigmas nearer to the wide component's mean, whose tail beyond it counts too.
    assert near[far].sum(1).tolist() == [1] * far.sum()
    beyond = stats.norm(0, 0.4).sf(np.abs(centre - 1.1) - 0.006)
    assert share[far][near[far]] == pytest.approx((0.05 + 0.95 * beyond)[far], abs=0.004)


def test_peaks_of_many_components_are_those_of_a_dense_grid():
    pdfs = mixtures(60, 12, seed=5)
    z, share = pdf.peaks(pdfs)
    y = np.linspace(-1, 3, 40_001)
    for row in range(60):
        p = pdf.density(Mixture(*(part[row : row + 1] for part in pdfs)), y[None])[0]
        tops = 1 + np.flatnonzero((p[1:-1] > p[:-2]) & (p[1:-1] >= p[2:]))
        valleys = [a + int(np.argmin(p[a:b])) for a, b in itertools.pairwise(tops)]
        mass = np.array([part.sum() for part in np.split(p, valleys)]) / p.sum()
        best = np.argsort(-mass)[:2]
        assert np.log1p(z[row, : len(best)]) == pytest.approx(y[tops[best]], abs=2e-4)
        assert share[row, : len(best)] == pytest.approx(mass[best], abs=1e-3)
        assert np.isnan(z[row, len(best) :]).all()
        assert not share[row, len(best) :].any()


def test_blocks_change_nothing(monkeypatch):
    pdfs = mixtures(50)
    at_once = pdf.peaks(pdfs)[1], pdf.interval(pdfs, 0.95)[0]
    monkeypatch.setattr(pdf, "_BLOCK", 7)
    monkeypatch.setattr(pdf, "_ROOTS", 11)
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
