"""Every model against the main network, on the same objects: ablations and references with a paired bootstrap."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from crossz.core.files import atomic_path
from crossz.estimates.predictions import TestRows, dz, test_rows
from crossz.scores.bootstrap import draw, resampled
from crossz.scores.metrics import score

log = logging.getLogger(__name__)

SCORES = ["rmse", "sigma_nmad"]
RESAMPLES = 500
_SHARE = 0.95  # of the bootstrap's differences that an interval holds


SAME_DATA = {"phot": "phot+img_gen", "phot+spec_gen": "phot+img_gen", "img": "phot_gen+img"}
"""The row of the main network that sees no more than a model with these inputs does."""


def comparison(prediction_paths: Iterable[str | Path], main: str, seed: int) -> pd.DataFrame:
    """Mean scores over the splits of each dataset, model and inputs, and their difference from the network `main`.

    One row per difference: `against` the first row of `main` (phot+img), and against the one that sees the same data, where
    that is another. Test parts of all splits together.
    """
    rows = []
    for dataset, tests in test_rows(prediction_paths).items():
        rows += [{"dataset": dataset} | row for row in _of_dataset(tests, main, seed)]
    return pd.DataFrame(rows)


def _of_dataset(tests: TestRows, main: str, seed: int) -> Iterator[dict]:
    # Differences with 95 % intervals: {score}, {score}_low, {score}_high. Objects are drawn with replacement, the same for all
    # models, so that what makes an object hard for two of them cancels.
    z_spec, split = tests.rows["z_spec"].to_numpy(), tests.rows["split"].to_numpy()
    whole = {key: score(z_spec, z_phot) for key, z_phot in tests.z_phot.items()}
    draws = draw(tests.rows["objID"].to_numpy(), seed, RESAMPLES)
    samples = {key: resampled(dz(z_phot, z_spec), draws) for key, z_phot in tests.z_phot.items()}
    theirs = [inputs for model, inputs in tests.z_phot if model == main]
    for (model, inputs), z_phot in tests.z_phot.items():
        each = [split == number for number in dict.fromkeys(split)]
        scores = pd.DataFrame([score(z_spec[part], z_phot[part]) for part in each])[SCORES]
        row = {"model": model, "inputs": inputs, "splits": len(each)}
        row |= scores.mean().to_dict() | scores.std(ddof=1).fillna(0.0).add_suffix("_sd").to_dict()
        same = SAME_DATA.get(inputs, inputs)
        for against in dict.fromkeys([theirs[0], same if same in theirs else theirs[0]]):
            found = {"against": against, "n": draws.times.shape[1]}
            found |= {f"d_{name}{end}": np.nan for name in SCORES for end in ("", "_low", "_high")}
            if (model, inputs) != (main, against):
                for name in SCORES:
                    found[f"d_{name}"] = whole[model, inputs][name] - whole[main, against][name]
                    differences = samples[model, inputs][name] - samples[main, against][name]
                    found[f"d_{name}_low"], found[f"d_{name}_high"] = np.quantile(
                        differences, [(1 - _SHARE) / 2, (1 + _SHARE) / 2]
                    )
            if against == theirs[0] or (model, inputs) != (main, against):
                yield row | found


def markdown(table: pd.DataFrame, main: str) -> str:
    """The comparison as a page: a table a dataset, differences whose interval leaves out 0 in bold."""
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
            cells = [model, inputs]
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
    prediction_paths: Iterable[str | Path], csv_path: str | Path, markdown_path: str | Path, main: str, seed: int
) -> None:
    """Write the comparison as CSV and as Markdown."""
    table = comparison(prediction_paths, main, seed)
    text = markdown(table, main)
    with atomic_path(csv_path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    with atomic_path(markdown_path) as temporary:
        temporary.write_text(text)
    log.info(text)
