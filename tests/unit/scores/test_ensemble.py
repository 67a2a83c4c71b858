"""All splits together: 68 % sets hold 68 % of new objects, and the scores are those of objects that fitted no temperature."""

import numpy as np
import pytest
from mixtures import draw, mixtures

from crossz.estimates import pdf
from crossz.estimates.ensemble import HeldOut
from crossz.estimates.ensemble import fit_temperature as by_score
from crossz.estimates.estimates import ClassProbabilities, Pdf, Point
from crossz.estimates.pdf import Mixture
from crossz.scores import ensemble, pdf_scores


def quasars(count, seed, outliers=0.2, core=0.03):
    """Objects that two splits held out: Gaussian PDFs of sigma 0.05, and true redshifts of which some lie far out."""
    rng = np.random.default_rng(seed)
    mean = rng.uniform(0.8, 1.6, count)
    y = mean + np.where(rng.random(count) < outliers, rng.normal(0, 0.25, count), rng.normal(0, core, count))
    return HeldOut(
        Pdf(Mixture(*(np.full((count, 1), value) for value in (1.0, 0.0, 0.05)))._replace(mean=mean[:, None])),
        np.expm1(y),
        2,
    )


def coverage(part):
    return pdf_scores.score(part.estimate.mixture, part.truth)["coverage_68"]


def test_68_percent_sets_hold_68_percent_of_new_objects_although_some_are_far_out():
    known = [quasars(2000, 1)]
    found = [ensemble.fit_temperature(known), by_score(known)]
    ours, of_crps = (quasars(6000, 2).recalibrated(limit) for limit in found)
    assert coverage(ours) == pytest.approx(0.68, abs=0.02)
    assert coverage(of_crps) > 0.71
    assert ours.estimate.score(ours.truth) < 1.01 * of_crps.estimate.score(of_crps.truth)


@pytest.mark.parametrize("components", [1, 2, 20])
def test_sets_of_any_number_of_components_hold_68_percent_when_measured_to_rounding(components):
    pdfs = mixtures(4000, components)
    narrow = pdf.temperature_scaled(pdfs, 0.8)
    part = HeldOut(Pdf(narrow), np.expm1(draw(pdfs)), 2)
    found = part.recalibrated(ensemble.fit_temperature([part])).estimate.mixture
    assert np.mean(pdf_scores.credible_level(found, draw(pdfs)) <= 0.68) == pytest.approx(0.68, abs=0.006)


def test_an_object_is_scored_at_the_temperature_of_the_other_half():
    part = quasars(2000, 3, outliers=0.0)
    wide = part.truth.copy()
    mean = part.estimate.mixture.mean[:, 0]
    wide[::2] = np.expm1(mean[::2] + 3 * (np.log1p(part.truth[::2]) - mean[::2]))
    both = part._replace(truth=wide)
    halves = ensemble.cross_fitted([both])
    assert sum(len(half.truth) for half in halves) == 2000
    assert coverage(halves[0]) < 0.4  # far out, at the temperature of the others
    assert coverage(halves[1]) > 0.95


def test_points_stay_and_classes_get_the_temperature_of_their_log_loss():
    points = HeldOut(Point(np.ones(5)), np.ones(5), 2)
    assert [len(half.truth) for half in ensemble.cross_fitted([points])] == [3, 2]
    assert ensemble.fit_temperature([points]) is None
    rng = np.random.default_rng(4)
    p = rng.uniform(0.3, 0.7, 3000)
    label = (rng.random(3000) < np.where(p > 0.5, 0.9, 0.1)).astype(int)
    part = HeldOut(ClassProbabilities(np.stack([1 - p, p], axis=1), ("STAR", "QSO")), label, 2)
    limit = ensemble.fit_temperature([part])
    assert limit < 0.5
    assert part.recalibrated(limit).estimate.score(label) < part.estimate.score(label)


def test_one_object_alone_is_scored_as_it_is():
    part = quasars(1, 5)
    assert ensemble.score(ensemble.cross_fitted([part]))["n"] == 1
