"""Scores of a classification (configuration: `task: classification`), and the table that shows them.

Probabilities are arrays [n, c] in the order of the configuration's `classes`. Labels are row numbers of that order.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crossz.core.errors import CrosszError
from crossz.estimates.classes import labels, log_loss, probabilities_of
from crossz.scores.summary import over_splits, text


def roc_auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: the probability that the positive object of a pair has the higher score.

    Ties count one half.

    Parameters
    ----------
    score
        Scores [n].
    positive
        Whether each object is a positive one [n] bool.

    Returns
    -------
    float
        NaN where all objects are of one kind.

    References
    ----------
    Hanley & McNeil (1982), Radiology 143, 29: the area as the Wilcoxon statistic.
    """
    order = pd.Series(score).rank().to_numpy()  # ties share their mean rank
    n = int(positive.sum())
    if n in (0, len(score)):
        return float("nan")
    return float((order[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def confusion(label: np.ndarray, estimated: np.ndarray, count: int) -> np.ndarray:
    """Number of objects [count, count] of each true class (row) in each estimated class (column); labels [n]."""
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (label, estimated), 1)
    return matrix


def score(probability: np.ndarray, label: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Scores of the class probabilities of n objects. The estimated class is the most probable one.

    Parameters
    ----------
    probability
        Probabilities [n, c].
    label
        True classes [n].
    classes
        Names of the c classes.

    Returns
    -------
    dict
        accuracy; log_loss in nats; roc_auc, the mean over the classes; and precision_{class}, recall_{class} and
        roc_auc_{class} of each class against all others. Precision is NaN for a class that is never estimated, recall
        for a class without objects.
    """
    matrix = confusion(label, probability.argmax(1), len(classes))
    right, estimated, true = np.diag(matrix), matrix.sum(0), matrix.sum(1)
    with np.errstate(invalid="ignore"):
        precision, recall = right / estimated, right / true
    auc = np.array([roc_auc(probability[:, k], label == k) for k in range(len(classes))])
    scores = {
        "accuracy": float(right.sum() / len(label)),
        "log_loss": log_loss(probability, label),
        "roc_auc": float(np.nanmean(auc)),
    }
    for name, values in (("precision", precision), ("recall", recall), ("roc_auc", auc)):
        scores |= {f"{name}_{kind}": float(value) for kind, value in zip(classes, values, strict=True)}
    return scores


def score_table(table: pd.DataFrame) -> dict[str, float]:
    """The `score` of a table of predictions with the columns class and p_{class}.

    Raises
    ------
    CrosszError
        The table has no class probabilities.
    """
    probabilities = probabilities_of(table)
    if probabilities is None:
        raise CrosszError("these predictions are redshifts, not classes; rerun -R evaluate references")
    classes, probability = probabilities
    return score(probability, labels(table, classes), classes)


def markdown(metrics: pd.DataFrame) -> str:
    """The table that takes the place of Table 1: mean ± sd over the splits of each dataset, model and inputs.

    Parameters
    ----------
    metrics
        Rows of metrics.csv.
    """
    classes = [str(name).removeprefix("recall_") for name in metrics if str(name).startswith("recall_")]
    heads = {"accuracy": "accuracy (%)", "roc_auc": "ROC-AUC", "log_loss": "log loss"}
    heads |= {f"{name}_{kind}": f"{name} {kind} (%)" for name in ("recall", "precision") for kind in classes}
    mean, sd, splits = over_splits(metrics, ["dataset", "model", "inputs"], list(heads))
    lines = [
        "# Classes",
        "",
        "Mean ± sd over the splits, on the same test objects. ROC-AUC: one class against the rest, mean over the classes.",
        "",
        "| dataset | model | inputs | splits | " + " | ".join(heads.values()) + " |",
        "|---" * (4 + len(heads)) + "|",
    ]
    for key in mean.index:
        scales = {name: 100 if head.endswith("(%)") else 1 for name, head in heads.items()}
        cells = [_cell(mean.loc[key, name], sd.loc[key, name], scale) for name, scale in scales.items()]
        lines.append("| " + " | ".join([*key, str(splits[key]), *cells]) + " |")
    return "\n".join(lines) + "\n"


def _cell(mean: float, sd: float, scale: int) -> str:
    return text(mean, sd, 2 if scale > 1 else 4, scale) if np.isfinite(mean) else "—"
