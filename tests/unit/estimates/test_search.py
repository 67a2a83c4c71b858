"""The search for a temperature: the answer of the whole grid, at a small part of its cost."""

import numpy as np
import pytest
from mixtures import draw, mixtures

from crossz.estimates import classes, ensemble, pdf
from crossz.estimates.ensemble import HeldOut
from crossz.estimates.estimates import Pdf
from crossz.estimates.search import best_of

GRID = np.exp(np.linspace(np.log(0.3), np.log(3.0), 93))
COUNT = 4000


def best_of_all(pdfs, y):
    """What scoring all objects at every temperature chooses."""
    return min(GRID, key=lambda t: pdf.crps(pdf.temperature_scaled(pdfs, t), y).mean())


@pytest.mark.parametrize("width", [0.2, 1.0, 5.0])  # of the first and the last the best is beyond the grid
def test_the_temperature_is_that_of_the_whole_grid(width):
    pdfs = mixtures(COUNT)
    y = draw(pdfs)
    pdfs = pdf.temperature_scaled(pdfs, width)
    assert pdf.fit_temperature(pdfs, y) == best_of_all(pdfs, y)


def test_a_sample_that_misleads_is_overruled():
    pdfs = mixtures(COUNT)
    y = draw(pdfs)
    scale = np.ones((COUNT, 1))
    scale[::4] = 2.5  # the sample: every fourth object
    pdfs = pdfs._replace(sigma=pdfs.sigma * scale)
    found = pdf.fit_temperature(pdfs, y)
    assert found == best_of_all(pdfs, y)
    sample = pdf.Mixture(*(part[::4] for part in pdfs))
    assert pdf.fit_temperature(sample, y[::4]) < 0.7 * found


def test_the_temperature_of_classes_is_that_of_the_whole_grid():
    rng = np.random.default_rng(1)
    honest = rng.dirichlet(np.ones(3), COUNT)
    label = (rng.random((COUNT, 1)) > honest.cumsum(1)[:, :-1]).sum(1)
    sharp = classes.temperature_scaled(honest, 0.6)
    losses = {t: classes.log_loss(classes.temperature_scaled(sharp, t), label) for t in np.geomspace(0.2, 5.0, 200)}
    assert classes.fit_temperature(sharp, label) == min(losses, key=losses.get)


def test_few_objects_are_scored_at_every_number_of_the_grid():
    scored = []
    assert best_of(np.array([1.0, 2.0, 3.0]), lambda t, step: scored.append((t, step)) or abs(t - 2.2), 900) == 2.0
    assert scored == [(1.0, 1), (2.0, 1), (3.0, 1)]


@pytest.fixture
def scored(monkeypatch):
    """Numbers of objects that a CRPS was computed of."""
    counts, crps = [], pdf.crps
    monkeypatch.setattr(pdf, "crps", lambda pdfs, y: counts.append(len(y)) or crps(pdfs, y))
    return counts


def test_all_objects_are_scored_a_few_times_and_not_at_each_temperature(scored):
    pdfs = mixtures(20_000)
    y = draw(pdfs)
    pdf.fit_temperature(pdfs, y)
    assert scored.count(20_000) <= 6
    assert sum(scored) < 12 * 20_000
    scored.clear()
    ensemble.fit_temperature([HeldOut(Pdf(pdfs), np.expm1(y), 3)])
    assert sum(scored) < 20 * 10_000
