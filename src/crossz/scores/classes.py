"""Classification (task: classification): labels, scores of class probabilities, their temperature, and the table of a run.

Probabilities are arrays [n, c] in the order of the configuration's `classes`; labels are row numbers of that order.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crossz.estimates.classes import labels, log_loss, probabilities_of


def roc_auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Probability that a positive object has the higher score [n] of the two, ties one half; NaN of one kind alone."""
    order = pd.Series(score).rank().to_numpy()  # ties share their mean rank
    n = int(positive.sum())
    if n in (0, len(score)):
        return float("nan")
    return float((order[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def confusion(label: np.ndarray, found: np.ndarray, count: int) -> np.ndarray:
    """Number of objects [true, found] of `count` classes."""
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (label, found), 1)
    return matrix


def score(probability: np.ndarray, label: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """accuracy, log_loss, roc_auc (mean over the classes), and precision, recall and roc_auc of each class against the rest.

    The class of an object is the most probable one. NaN where a class is never found (precision) or not there (recall).
    """
    matrix = confusion(label, probability.argmax(1), len(classes))
    right, found, true = np.diag(matrix), matrix.sum(0), matrix.sum(1)
    with np.errstate(invalid="ignore"):
        precision, recall = right / found, right / true
    auc = [roc_auc(probability[:, k], label == k) for k in range(len(classes))]
    scores = {
        "accuracy": float(right.sum() / len(label)),
        "log_loss": log_loss(probability, label),
        "roc_auc": float(np.nanmean(auc)),
    }
    for name, values in (("precision", precision), ("recall", recall), ("roc_auc", auc)):
        scores |= {f"{name}_{kind}": float(value) for kind, value in zip(classes, values, strict=True)}
    return scores


def score_table(table: pd.DataFrame) -> dict[str, float]:
    """`score` of a table of predictions (class, p_{class})."""
    classes, probability = probabilities_of(table)
    return score(probability, labels(table, classes), classes)


def markdown(metrics: pd.DataFrame) -> str:
    """What stands in for Table 1: mean ± sd over the splits of each dataset, model and inputs."""
    recalls = [name for name in metrics if name.startswith("recall_")]
    names = {"accuracy": "accuracy (%)", "roc_auc": "ROC-AUC", "log_loss": "log loss"}
    names |= {name: f"recall {name.removeprefix('recall_')} (%)" for name in recalls}
    names |= {name.replace("recall", "precision"): f"precision {name.removeprefix('recall_')} (%)" for name in recalls}
    groups = metrics.groupby(["dataset", "model", "inputs"], sort=False)
    mean, sd, splits = groups[list(names)].mean(), groups[list(names)].std(ddof=1).fillna(0.0), groups.size()
    lines = [
        "# Classes",
        "",
        "Mean ± sd over the splits, on the same test objects. ROC-AUC: one class against the rest, mean over the classes.",
    ]
    lines += [
        "",
        "| dataset | model | inputs | splits | " + " | ".join(names.values()) + " |",
        "|---" * (4 + len(names)) + "|",
    ]
    for key in mean.index:
        scales = [100 if label.endswith("(%)") else 1 for label in names.values()]
        cells = [
            _cell(mean.loc[key, name], sd.loc[key, name], scale) for name, scale in zip(names, scales, strict=True)
        ]
        lines.append("| " + " | ".join([*key, str(splits[key]), *cells]) + " |")
    return "\n".join(lines) + "\n"


def _cell(mean: float, sd: float, scale: int) -> str:
    digits = 2 if scale > 1 else 4
    return f"{scale * mean:.{digits}f} ± {scale * sd:.{digits}f}" if np.isfinite(mean) else "—"
