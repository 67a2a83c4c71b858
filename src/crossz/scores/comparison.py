"""Every model compared with the main network on the same objects, by a paired bootstrap: `comparison.csv` and `.md`."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from crossz.core.files import atomic_path
from crossz.estimates.estimates import dz
from crossz.estimates.predictions import ScoredRows, scored_rows
from crossz.scores.bootstrap import draw, resampled
from crossz.scores.metrics import score

log = logging.getLogger(__name__)

SCORES = ["rmse", "sigma_nmad"]
"""The scores that are compared."""
RESAMPLES = 500
"""Samples of the bootstrap."""
_SHARE = 0.95  # of the differences of the bootstrap that an interval holds

SAME_DATA = {"phot": "phot+img_gen", "phot+spec_gen": "phot+img_gen", "img": "phot_gen+img"}
"""The inputs of the main network that hold no more data than these inputs of another model."""


def comparison(predictions: Iterable[str | Path], main: str, seed: int) -> pd.DataFrame:
    """Mean scores of each model over the splits, and their differences from the main network.

    The test parts of all splits are taken together. Objects are drawn with replacement, the same for all models, so that
    what makes an object hard for two of them cancels.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet.
    main
        The network that all models are compared with.
    seed
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One row per difference: from the first row of `main` (phot+img), and from its row that sees the same data, where
        that is another. Columns: dataset, model, inputs, splits, SCORES and {score}_sd over the splits, against (inputs
        of `main`), n (objects), d_{score}, and the ends of its 95 % interval d_{score}_low and d_{score}_high.

    Raises
    ------
    CrosszError
        Models were scored on different objects.
    """
    rows = []
    for dataset, tests in scored_rows(predictions).items():
        rows += [{"dataset": dataset} | row for row in _of_dataset(tests, main, seed)]
    return pd.DataFrame(rows)


def _of_dataset(tests: ScoredRows, main: str, seed: int) -> Iterator[dict]:
    z_spec = tests.rows["z_spec"].to_numpy()
    pooled = {key: score(z_spec, z_phot) for key, z_phot in tests.z_phot.items()}
    draws = draw(tests.rows["objID"].to_numpy(), seed, RESAMPLES)
    samples = {key: resampled(dz(z_phot, z_spec), draws) for key, z_phot in tests.z_phot.items()}
    inputs_of_main = [inputs for model, inputs in tests.z_phot if model == main]
    first = inputs_of_main[0]
    for model, inputs in tests.z_phot:
        means = {"model": model, "inputs": inputs} | _over_splits(tests, (model, inputs))
        same = SAME_DATA.get(inputs, inputs)
        for against in dict.fromkeys([first, same if same in inputs_of_main else first]):
            itself = (model, inputs) == (main, against)
            if itself and against != first:
                continue
            key, other = (model, inputs), (main, against)
            differences = {} if itself else _differences(pooled[key], pooled[other], samples[key], samples[other])
            empty = {f"d_{name}{end}": np.nan for name in SCORES for end in ("", "_low", "_high")}
            yield means | {"against": against, "n": draws.times.shape[1]} | empty | differences


def _over_splits(tests: ScoredRows, key: tuple[str, str]) -> dict:
    # Number of splits, mean and standard deviation of each score over them.
    z_spec, split = tests.rows["z_spec"].to_numpy(), tests.rows["split"].to_numpy()
    parts = [split == number for number in dict.fromkeys(split)]
    scores = pd.DataFrame([score(z_spec[part], tests.z_phot[key][part]) for part in parts])
    mean, sd = scores[SCORES].mean(), scores[SCORES].std(ddof=1).fillna(0.0)
    return {"splits": len(parts)} | {name: mean[name] for name in SCORES} | {f"{name}_sd": sd[name] for name in SCORES}


def _differences(
    pooled: Mapping[str, float],
    pooled_other: Mapping[str, float],
    samples: Mapping[str, np.ndarray],
    samples_other: Mapping[str, np.ndarray],
) -> dict[str, float]:
    # d_{score} and the ends of its interval, of the scores of two models and of their bootstrap samples.
    differences = {}
    for name in SCORES:
        differences[f"d_{name}"] = pooled[name] - pooled_other[name]
        ends = np.quantile(samples[name] - samples_other[name], [(1 - _SHARE) / 2, (1 + _SHARE) / 2])
        differences[f"d_{name}_low"], differences[f"d_{name}_high"] = ends
    return differences


def as_markdown(table: pd.DataFrame, main: str) -> str:
    """The comparison as Markdown, one table per dataset. Differences whose interval excludes 0 are bold.

    Parameters
    ----------
    table
        Rows of `comparison`.
    main
        The network that all models are compared with.
    """
    first = table["against"].iloc[0]
    lines = ["# Every model against the main network", ""]
    lines += [
        f"Mean ± sd over the splits, and the difference from `{main}` on the same test objects with the 95 % interval of a paired bootstrap",
        f"over objects: from its row {first}, and from its row that sees the same data (phot+img_gen beside a model of photometry alone).",
        "Positive: worse than the main network. Bold: the interval leaves out 0.",
    ]
    for dataset, part in table.groupby("dataset", sort=False):
        head = f"| model | inputs | RMSE | Δ from {first} | sigma_nmad | Δ from {first} | Δ RMSE at the same data |"
        lines += ["", f"## {dataset}", "", head, "|---" * 7 + "|"]
        for (model, inputs), rows in part.groupby(["model", "inputs"], sort=False):
            row, same = rows.iloc[0], rows.iloc[-1]
            cells = [str(model), str(inputs)]
            for name in SCORES:
                cells += [f"{row[name]:.4f} ± {row[name + '_sd']:.4f}", _difference(row, name)]
            cells.append(_difference(same, "rmse") if len(rows) > 1 or same["inputs"] == first else "—")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _difference(row: pd.Series, name: str) -> str:
    value, low, high = (row[f"d_{name}{end}"] for end in ("", "_low", "_high"))
    if not np.isfinite(value):
        return "—"
    text = f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"
    return f"**{text}**" if low > 0 or high < 0 else text


def write_comparison(
    *, predictions: Iterable[str | Path], csv: str | Path, markdown: str | Path, main: str, seed: int
) -> None:
    """Write the comparison as CSV and as Markdown.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet.
    csv, markdown
        Paths of the files to write.
    main
        The network that all models are compared with.
    seed
        Seed of the bootstrap.
    """
    table = comparison(predictions, main, seed)
    text = as_markdown(table, main)
    with atomic_path(csv) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    with atomic_path(markdown) as temporary:
        temporary.write_text(text)
    log.info(text)
