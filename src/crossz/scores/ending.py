"""The last words of a run: a short table of scores, where things lie, and what comes next."""

from pathlib import Path

import pandas as pd

from crossz.core.names import MML, REFERENCES
from crossz.core.runs import RUNS
from crossz.scores.metrics import MODEL_KEYS, headline
from crossz.scores.summary import over_splits, text

_SHOWN = {
    "rmse": ("RMSE", 4, 1),
    "sigma_nmad": ("sigma_NMAD", 4, 1),
    "frac_lt_0.1": ("|dz| < 0.1 (%)", 1, 100),
    "coverage_68": ("in 68 % region (%)", 1, 100),
    "accuracy": ("right (%)", 1, 100),
    "log_loss": ("log loss", 4, 1),
}
"""Heading, digits and scale of each score that the table has, if the run has it."""
_FILES = {
    "table1.md": "all models, beside the values that the paper prints",
    "comparison.md": "every model against the main network",
    "metrics.csv": "the scores of each split",
    "metrics_binned.csv": "scores in bins of redshift and magnitude",
}


def ending(metrics: str | Path, run: str | None = None) -> str:
    """What a finished run says; nothing of a file that is no table of scores, since the run is finished all the same.

    Parameters
    ----------
    metrics
        Path of metrics.csv; the other tables lie beside it.
    run
        Name of the run, where the configuration has one.
    """
    folder, scores = Path(metrics).parent, headline(pd.read_csv(metrics))
    shown = folder if run is None else Path(RUNS, run, folder)
    if not {*MODEL_KEYS, "split"} <= set(scores):
        return ""
    there = {name: what for name, what in _FILES.items() if (folder / name).is_file()}
    width = max(len(str(shown / name)) for name in there)
    splits = scores["split"].nunique()
    spread = f"mean ± sd of {splits} splits" if splits > 1 else "one split"
    make, option = ("make report", "") if run is None else (f"make report RUN={run}", f"run={run} ")
    return "\n".join(
        [
            "",
            score_table(scores),
            "",
            f"Test objects, {spread}. Of the references, the best one is shown.",
            *(f"{shown / name!s:{width}}  {what}" for name, what in there.items()),
            "",
            f"Next: `{make}` draws the figures and collects all in {shown}/report.html;",
            f"`snakemake --cores 8 --config {option}targets=FILE -- results/predict/NAME.html` estimates your table FILE (NAME.csv) on this sky.",
            "",
        ]
    )


def score_table(scores: pd.DataFrame) -> str:
    """The headline scores of each dataset as aligned text: networks, stack, baseline on spectra, the best reference.

    Parameters
    ----------
    scores
        Rows of metrics.csv, one estimate of each model (`headline`).
    """
    shown = {name: how for name, how in _SHOWN.items() if name in scores}
    first = next(iter(shown))
    mean, sd, _ = over_splits(scores, MODEL_KEYS, list(shown))
    references = mean[mean.index.get_level_values("model").isin(REFERENCES)]
    order = references[first] if first != "accuracy" else -references[first]
    best = set(order.groupby("dataset").idxmin())
    rows = [[*MODEL_KEYS, *(heading for heading, _, _ in shown.values())]]
    datasets = list(mean.index.unique("dataset"))
    for key in sorted(mean.index, key=lambda key: datasets.index(key[0])):
        if (key[1] not in REFERENCES or key in best) and (key[1] != MML or key[2] != "spec"):
            cells = (_cell(mean.loc[key, name], sd.loc[key, name], *how) for name, how in shown.items())
            rows.append([*key, *cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cell(mean: float, sd: float, _: str, digits: int, scale: float) -> str:
    return "" if pd.isna(mean) else text(mean, sd, digits, scale)
