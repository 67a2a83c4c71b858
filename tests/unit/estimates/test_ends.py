"""The ends of the redshifts that networks know: a few lie beyond, and a PDF that reaches there is marked."""

import numpy as np
import pandas as pd
import pytest

from crossz.estimates import pdf
from crossz.estimates.ends import at_ends, ends_of
from crossz.estimates.pdf import Mixture


def tables(z, splits=3):
    """Predictions of so many splits, of two thirds of the objects each."""
    every = pd.DataFrame({"objID": np.arange(len(z)), "z_spec": z})
    return [every[every["objID"] % 3 != number % 3] for number in range(splits)]


@pytest.mark.parametrize("count", [30, 150, 700, 30_000])
def test_a_hundredth_of_the_objects_lie_beyond_an_end_and_ten_at_most(count):
    z = np.random.default_rng(count).permutation(np.linspace(1, 4, count))
    low, high = ends_of(tables(z))
    wanted = min(10, count // 100)
    assert [(z < low).sum(), (z > high).sum()] == [wanted, wanted]


def test_a_wrong_redshift_is_no_end():
    z = np.linspace(1, 4, 600)
    z[300], z[301] = 6.9, 0.001
    low, high = ends_of(tables(z))
    assert 1 <= low < 1.1
    assert 3.9 < high <= 4


def test_classes_have_no_ends():
    assert ends_of([pd.DataFrame({"objID": [1], "class": ["QSO"]})]) is None


def test_what_is_marked_at_an_end_is_a_95_percent_interval_that_reaches_beyond_it():
    rng = np.random.default_rng(1)
    mixture = Mixture(rng.dirichlet(np.ones(3), 400), rng.uniform(0.7, 1.6, (400, 3)), rng.uniform(0.01, 0.1, (400, 3)))
    low, high = pdf.interval(mixture, 0.95)
    found = at_ends(mixture, (1.5, 3.5))
    assert found.tolist() == np.stack([low < 1.5, high > 3.5], axis=1).tolist()
    assert 0.1 < found.mean() < 0.9
    assert found.all(1).any()
