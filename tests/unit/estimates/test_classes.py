"""Class labels and probabilities: names as SQL Server compares them, temperatures that mend overconfidence."""

import numpy as np
import pandas as pd
import pytest

from crossz.core.errors import CrosszError
from crossz.estimates import classes

NAMES = ["STAR", "GALAXY", "QSO"]


def test_the_temperature_undoes_overconfidence():
    rng = np.random.default_rng(1)
    honest = rng.dirichlet([0.6, 0.6, 0.6], 4000)
    label = np.array([rng.choice(3, p=p) for p in honest])
    too_sharp = classes.temperature_scaled(honest, 0.5)
    np.testing.assert_allclose(too_sharp.sum(1), 1)
    assert (too_sharp.max(1) >= honest.max(1) - 1e-9).all()
    assert classes.fit_temperature(too_sharp, label) == pytest.approx(2, rel=0.15)
    assert classes.fit_temperature(honest, label) == pytest.approx(1, rel=0.12)


def test_classes_are_compared_as_sql_server_does():
    table = pd.DataFrame({"class": ["qso ", "STAR", "Galaxy"]})
    assert classes.labels(table, NAMES).tolist() == [2, 0, 1]
    with pytest.raises(CrosszError, match="class Galaxy, which is none of STAR, QSO"):
        classes.labels(table, ["STAR", "QSO"])
