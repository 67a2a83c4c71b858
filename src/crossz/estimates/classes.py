"""Class probabilities (task: classification): labels, the log loss, the temperature.

Probabilities are arrays [n, c] in the order of the configuration's `classes`; labels are row numbers of that order.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crossz.catalog.class_names import cleaned_class
from crossz.core.errors import CrosszError
from crossz.estimates.search import best_of

LEAST = 1e-6
"""A probability counts as at least this in a log loss, or a single vote of a forest would make it infinite."""
_TEMPERATURES = np.geomspace(0.2, 5.0, 200)


def labels(rows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Label [n] int64 of the column `class` of catalog rows.

    Raises
    ------
    CrosszError
        A class is not among `classes`.
    """
    label = pd.Index(classes).get_indexer(pd.Index(cleaned_class(rows["class"])))
    if (label < 0).any():
        other = sorted({str(name) for name in rows["class"][label < 0]})
        raise CrosszError(f"rows of class {', '.join(other)}, which is none of {', '.join(classes)}; rerun -R catalog")
    return label.astype(np.int64)


def require_all(label: np.ndarray, classes: Sequence[str], where: str) -> None:
    """Raise CrosszError when a class has no object in `label` [n]."""
    if absent := [name for number, name in enumerate(classes) if not (label == number).any()]:
        raise CrosszError(
            f"{where}: no object of class {', '.join(absent)}; take it out of `classes`, or widen the query"
        )


def log_loss(probability: np.ndarray, label: np.ndarray) -> float:
    """Mean of -ln p of the true class [n]: proper, and what chooses epochs and hyperparameters."""
    return float(-np.log(np.maximum(probability[np.arange(len(label)), label], LEAST)).mean())


def temperature_scaled(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities [n, c] to the power 1 / temperature, again with sum 1: sharper below 1, flatter above."""
    power = np.log(np.maximum(probability, LEAST)) / temperature
    power = np.exp(power - power.max(1, keepdims=True))
    return power / power.sum(1, keepdims=True)


def fit_temperature(probability: np.ndarray, label: np.ndarray) -> float:
    """The temperature of the smallest log loss (Guo et al. 2017), to be chosen on the validation part."""

    def score(temperature: float, step: int) -> float:
        return log_loss(temperature_scaled(probability[::step], temperature), label[::step])

    return best_of(_TEMPERATURES, score, len(label))


def columns(probability: np.ndarray, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of a table of predictions: class_phot, the most probable class, and p_{class} of each."""
    columns = {"class_phot": np.asarray(classes, dtype=object)[probability.argmax(1)]}
    return columns | {f"p_{name}": probability[:, k] for k, name in enumerate(classes)}


def probabilities_of(table: pd.DataFrame) -> tuple[list[str], np.ndarray] | None:
    """Classes and probabilities [n, c] of a table of predictions, None where it is one of redshifts."""
    if "class_phot" not in table:
        return None
    classes = [name.removeprefix("p_") for name in table.columns if name.startswith("p_")]
    return classes, table[[f"p_{name}" for name in classes]].to_numpy()
