"""All splits together: their mean is too wide, and one temperature mends it for objects that no split has seen."""

import numpy as np
import pytest

from crossz.estimates import ensemble, pdf
from crossz.estimates.estimates import ClassProbabilities, Pdf, Point, mean_of
from crossz.estimates.pdf import Mixture

SPLITS = 5
SIGMA, SCATTER = 0.05, 0.03  # of the truth about the best estimate, and of a split's estimate about it


def estimates(rng, n):
    """True y [n], and the PDFs of each split: right by themselves."""
    best = rng.uniform(0.8, 1.6, n)
    width = np.full((n, 1), np.hypot(SIGMA, SCATTER))
    means = best + rng.normal(0, SCATTER, (SPLITS, n))
    return rng.normal(best, SIGMA), [Pdf(Mixture(np.ones((n, 1)), mean[:, None], width)) for mean in means]


def held(rng, truth, of_splits):
    """What `held_out` takes: two fifths of the objects, at random, of each split."""
    n = len(truth)
    rows = [np.sort(rng.permutation(n)[: 2 * n // 5]) for _ in of_splits]
    return (
        [100 + part for part in rows],
        [truth[part] for part in rows],
        [e.take(r) for e, r in zip(of_splits, rows, strict=True)],
    )


def coverage(mixture, y, share):
    return (np.abs(pdf.cdf(mixture, y) - 0.5) < share / 2).mean()


def test_new_objects_get_pdfs_that_hold_their_promise():
    rng = np.random.default_rng(2)
    y, of_splits = estimates(rng, 2000)
    parts = ensemble.held_out(*held(rng, np.expm1(y), of_splits))
    limit = ensemble.fit_temperature(parts)
    y, of_splits = estimates(rng, 4000)  # seen by no split
    mean = mean_of(of_splits)
    assert coverage(of_splits[0].mixture, y, 0.68) == pytest.approx(0.68, abs=0.02)
    assert coverage(mean.mixture, y, 0.68) > 0.74
    mended = mean.recalibrated(ensemble.temperature(limit, SPLITS))
    assert coverage(mended.mixture, y, 0.68) == pytest.approx(0.68, abs=0.02)
    assert coverage(mended.mixture, y, 0.95) == pytest.approx(0.95, abs=0.015)
    assert mended.score(np.expm1(y)) < mean.score(np.expm1(y))


def test_an_object_gets_the_mean_of_the_splits_that_did_not_train_on_it():
    rng = np.random.default_rng(3)
    truth = rng.uniform(1, 3, 50)
    of_splits = [Point(rng.uniform(1, 3, 50)) for _ in range(SPLITS)]
    objID, truths, given = held(rng, truth, of_splits)
    seen = 0
    for part in ensemble.held_out(objID, truths, given):
        for z_phot, z in zip(part.estimate.z_phot, part.truth, strict=True):
            number = int(np.flatnonzero(truth == z)[0])
            splits = [split for split, ids in enumerate(objID) if 100 + number in ids]
            assert len(splits) == part.splits >= 2
            assert z_phot == pytest.approx(np.mean([of_splits[split].z_phot[number] for split in splits]))
            seen += 1
    assert seen == (np.sum([np.isin(100 + np.arange(50), ids) for ids in objID], axis=0) >= 2).sum()


def test_class_probabilities_are_sharpened():
    rng = np.random.default_rng(4)
    logit = rng.normal(0, 2, 4000)
    label = (rng.random(4000) < 1 / (1 + np.exp(-logit))).astype(int)
    scattered = [1 / (1 + np.exp(-(logit + rng.normal(0, 1.5, 4000)) / 1.4)) for _ in range(SPLITS)]
    of_splits = [ClassProbabilities(np.stack([1 - p, p], axis=1), ("STAR", "QSO")) for p in scattered]
    limit = ensemble.fit_temperature(ensemble.held_out(*held(rng, label, of_splits)))
    assert limit < 0.9
    mean = mean_of(of_splits)
    mended = mean.recalibrated(ensemble.temperature(limit, SPLITS))
    assert mended.score(label) < mean.score(label)
    # Of the objects whose probability is p, the share p is of the class.
    before, after = (reliability(one.probability[:, 1], label) for one in (mean, mended))
    assert after.max() < 0.06 < before.max()
    assert after.mean() < 0.5 * before.mean()


def reliability(p, label):
    """|mean p - share of the class| in tenths of the objects, by p."""
    tenths = np.array_split(np.argsort(p), 10)
    return np.array([abs(p[rows].mean() - label[rows].mean()) for rows in tenths])


def test_points_single_splits_and_splits_that_share_nothing_have_no_temperature():
    points = [Point(np.ones(3))] * 2
    parts = ensemble.held_out([np.arange(3)] * 2, [np.ones(3)] * 2, points)
    assert len(parts) == 1
    assert ensemble.fit_temperature(parts) is None
    apart = ensemble.held_out([np.arange(3), np.arange(3, 6)], [np.ones(3)] * 2, points)
    assert apart == []
    assert ensemble.fit_temperature(apart) is None
    assert ensemble.temperature(0.5, 1) == 1.0
