"""Classification (task: classification): labels, scores of class probabilities, their temperature, and the table of a run.

Probabilities are arrays [n, c] in the order of the configuration's `classes`; labels are row numbers of that order.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crossz.errors import CrosszError

LEAST = 1e-6
"""A probability counts as at least this in a log loss, or a single vote of a forest would make it infinite."""
_TEMPERATURES = np.geomspace(0.2, 5.0, 200)


def cleaned(names: pd.Series) -> pd.Series:
    """Class names as SQL Server compares them: capital letters, no blanks behind."""
    return names.astype("string").str.strip().str.upper()


def labels(rows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Label [n] int64 of the column `class` of catalogue rows. Raises CrosszError for a class that is not among `classes`."""
    found = pd.Index(classes).get_indexer(cleaned(rows["class"]))
    if (found < 0).any():
        other = sorted({str(name) for name in rows["class"][found < 0]})
        raise CrosszError(f"rows of class {', '.join(other)}, which is none of {', '.join(classes)}; rerun -R catalog")
    return found.astype(np.int64)


def require_all(label: np.ndarray, classes: Sequence[str], where: str) -> None:
    """Raise CrosszError when a class has no object in `label` [n]."""
    if absent := [name for number, name in enumerate(classes) if not (label == number).any()]:
        raise CrosszError(
            f"{where}: no object of class {', '.join(absent)}; take it out of `classes`, or widen the query"
        )


def log_loss(probability: np.ndarray, label: np.ndarray) -> float:
    """Mean of -ln p of the true class [n]: proper, and what chooses epochs and hyperparameters."""
    return float(-np.log(np.maximum(probability[np.arange(len(label)), label], LEAST)).mean())


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


def tempered(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities [n, c] to the power 1 / temperature, again with sum 1: sharper below 1, flatter above."""
    power = np.log(np.maximum(probability, LEAST)) / temperature
    power = np.exp(power - power.max(1, keepdims=True))
    return power / power.sum(1, keepdims=True)


def fit_temperature(probability: np.ndarray, label: np.ndarray) -> float:
    """The temperature of the smallest log loss (Guo et al. 2017), to be chosen on the validation part."""
    return float(min(_TEMPERATURES, key=lambda t: log_loss(tempered(probability, t), label)))


def columns(probability: np.ndarray, classes: Sequence[str]) -> dict[str, np.ndarray]:
    """Columns of a table of predictions: class_phot, the most probable class, and p_{class} of each."""
    found = {"class_phot": np.asarray(classes, dtype=object)[probability.argmax(1)]}
    return found | {f"p_{name}": probability[:, k] for k, name in enumerate(classes)}


def probabilities_of(table: pd.DataFrame) -> tuple[list[str], np.ndarray] | None:
    """Classes and probabilities [n, c] of a table of predictions, None where it is one of redshifts."""
    if "class_phot" not in table:
        return None
    classes = [name.removeprefix("p_") for name in table.columns if name.startswith("p_")]
    return classes, table[[f"p_{name}" for name in classes]].to_numpy()


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
