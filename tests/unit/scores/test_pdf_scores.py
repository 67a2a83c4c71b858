"""Scores of PDFs: right PDFs look right, narrow ones do not, and sets of highest density hold every peak."""

import numpy as np
import pytest
from mixtures import draw, mixtures

from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture
from crossz.scores import pdf_scores


def test_right_pdfs_look_right_and_narrow_ones_do_not():
    pdfs = mixtures(5000)
    z = np.expm1(draw(pdfs))
    right = pdf_scores.score(pdfs, z)
    assert right["pit_ks"] < 1.63 / np.sqrt(5000)
    assert right["coverage_68"] == pytest.approx(0.68, abs=0.02)
    assert right["coverage_95"] == pytest.approx(0.95, abs=0.01)
    narrow = pdf_scores.score(pdf.temperature_scaled(pdfs, 0.4), z)
    assert narrow["coverage_68"] < 0.5
    assert narrow["pit_ks"] > 3 * right["pit_ks"]
    assert narrow["crps"] > right["crps"]
    assert narrow["nll"] > right["nll"]


def test_highest_density_sets_hold_both_peaks():
    two = Mixture(np.full((1, 2), 0.5), np.array([[0.8, 1.5]]), np.full((1, 2), 0.05))
    assert pdf_scores.credible_level(two, np.array([0.8]))[0] < 0.02
    assert pdf_scores.credible_level(two, np.array([1.5]))[0] < 0.02
    assert pdf_scores.credible_level(two, np.array([1.15]))[0] > 0.99


def test_a_component_narrower_than_any_step_is_not_stepped_over():
    n = 4000
    sharp = Mixture(np.tile([0.5, 0.5], (n, 1)), np.tile([1.0, 1.1], (n, 1)), np.tile([0.002, 0.4], (n, 1)))
    rng = np.random.default_rng(5)
    wide = rng.random(n) < 0.5
    y = np.where(wide, rng.normal(1.1, 0.4, n), rng.normal(1.0, 0.002, n))
    scores = pdf_scores.score(sharp, np.expm1(y))
    for share in (0.68, 0.95):
        error = np.sqrt(share * (1 - share) / n)
        assert scores[f"coverage_{100 * share:.0f}"] == pytest.approx(share, abs=4 * error)
    # The level is the probability of a higher density, by its definition.
    density = pdf.density(sharp, y)
    simulated = [(density > own).mean() for own in density[:200]]
    assert pdf_scores.credible_level(sharp, y)[:200] == pytest.approx(simulated, abs=4 * 0.5 / np.sqrt(n))


def test_blocks_change_no_level(monkeypatch):
    pdfs = mixtures(50)
    y = draw(pdfs)
    at_once = pdf_scores.credible_level(pdfs, y)
    monkeypatch.setattr(pdf, "_BLOCK", 7)
    np.testing.assert_array_equal(pdf_scores.credible_level(pdfs, y), at_once)


def test_the_distance_from_uniform_worked_out_by_hand():
    assert pdf_scores.ks_distance(np.array([0.9, 0.5])) == pytest.approx(0.5)
    assert pdf_scores.ks_distance(np.array([0.25, 0.75])) == pytest.approx(0.25)
