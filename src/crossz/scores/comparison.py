"""Every model compared with the main network on the same splits and objects: `comparison.csv` and `.md`."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.files import atomic_path
from crossz.core.paths import parse_catalog
from crossz.estimates.estimates import dz
from crossz.estimates.predictions import ScoredRows, scored_rows
from crossz.scores import intervals, summary
from crossz.scores.bootstrap import Draws, draw, resampled
from crossz.scores.metrics import score

log = logging.getLogger(__name__)

SCORES = ["rmse", "sigma_nmad"]
"""The scores that are compared: of z_phot, and of z_median, the estimates that suit them."""
RESAMPLES = 500
"""Samples of the bootstrap."""

SAME_DATA = {"phot": "phot+img_gen", "phot+spec_gen": "phot+img_gen", "img": "phot_gen+img"}
"""The inputs of the main network that hold no more data than these inputs of another model."""


def comparison(
    predictions: Iterable[str | Path],
    groups: Mapping[str, pd.Series],
    main: str,
    seed: int,
    fractions: Sequence[float],
) -> pd.DataFrame:
    """Mean scores of each model over the splits, and their differences from the main network.

    A difference is the mean over the splits of the difference in each split. It has two intervals:
    `intervals.corrected`, which counts other trainings and other objects, and `intervals.objects_only`, for which groups
    of objects are drawn with replacement, the same for all models.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet.
    groups
        Group of each object, indexed by objID, of each dataset.
    main
        The network that all models are compared with.
    seed
        Seed of the bootstrap.
    fractions
        Shares of the train, val and test parts of a split.

    Returns
    -------
    DataFrame
        One row per difference: from the first row of `main` (phot+img), and from its row that sees the same data, where
        that is another. Columns: dataset, model, inputs, splits, SCORES and {score}_sd over the splits, against (inputs
        of `main`), n (objects), d_{score}, the ends of its corrected 95 % interval d_{score}_low and d_{score}_high, and
        those of the interval of objects only, d_{score}_objects_low and d_{score}_objects_high.

    Raises
    ------
    CrosszError
        Models were scored on different objects.
    """
    rows = []
    for dataset, tests in scored_rows(predictions).items():
        group = groups[dataset].loc[tests.rows["objID"]].to_numpy()
        rows += [
            {"dataset": dataset} | row for row in differences(tests, group, main, seed, fractions[2] / fractions[0])
        ]
    return pd.DataFrame(rows)


class _Scored(NamedTuple):
    """The SCORES of one model."""

    of_split: pd.DataFrame  # [splits]
    samples: dict[str, np.ndarray]  # [RESAMPLES] mean over the splits, of groups drawn with replacement


def differences(
    tests: ScoredRows, group: np.ndarray, main: str, seed: int, test_to_train: float
) -> Iterator[dict[str, object]]:
    """The rows of `comparison` of one dataset.

    Parameters
    ----------
    tests
        Its test rows [n].
    group
        Group of each row's object [n].
    main, seed
        See `comparison`.
    test_to_train
        n_test / n_train of a split.
    """
    draws = draw(group, seed, RESAMPLES)
    objects = tests.rows["objID"].nunique()
    scored = {
        key: _scored(tests, {"rmse": tests.z_phot[key], "sigma_nmad": tests.z_median[key]}, draws)
        for key in tests.z_phot
    }
    inputs_of_main = [inputs for model, inputs in tests.z_phot if model == main]
    first = inputs_of_main[0]
    for (model, inputs), mine in scored.items():
        over = summary.over_splits(mine.of_split.assign(key=0), ["key"], SCORES)
        means = {"model": model, "inputs": inputs, "splits": int(over.splits[0])}
        means |= {name: over.mean.loc[0, name] for name in SCORES}
        means |= {f"{name}_sd": over.sd.loc[0, name] for name in SCORES}
        same = SAME_DATA.get(inputs, inputs)
        for against in dict.fromkeys([first, same if same in inputs_of_main else first]):
            itself = (model, inputs) == (main, against)
            if itself and against != first:
                continue
            row = means | {"against": against, "n": objects} | _difference(mine, scored[main, against], test_to_train)
            yield {name: np.nan if itself and name.startswith("d_") else value for name, value in row.items()}


def _scored(tests: ScoredRows, estimates: Mapping[str, np.ndarray], draws: Draws) -> _Scored:
    z_spec, split = tests.rows["z_spec"].to_numpy(), tests.rows["split"].to_numpy()
    parts = [split == number for number in dict.fromkeys(split)]
    of_split, samples = {}, {}
    for name, z in estimates.items():
        of_split[name] = [score(z_spec[part], z[part])[name] for part in parts]
        error = dz(z, z_spec)
        resamples = [resampled(error[part], draws._replace(object_of=draws.object_of[part])) for part in parts]
        samples[name] = np.mean([one[name] for one in resamples], axis=0)
    return _Scored(pd.DataFrame(of_split), samples)


def _difference(mine: _Scored, other: _Scored, test_to_train: float) -> dict[str, float]:
    row = {}
    for name in SCORES:
        of_split = mine.of_split[name].to_numpy() - other.of_split[name].to_numpy()
        row[f"d_{name}"] = float(of_split.mean())
        row[f"d_{name}_low"], row[f"d_{name}_high"] = intervals.corrected(of_split, test_to_train)
        ends = intervals.objects_only(mine.samples[name] - other.samples[name])
        row[f"d_{name}_objects_low"], row[f"d_{name}_objects_high"] = ends
    return row


def as_markdown(table: pd.DataFrame, main: str) -> str:
    """The comparison as Markdown, one table per dataset. Differences whose corrected interval excludes 0 are bold.

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
        f"Mean ± sd over the splits, and the mean difference from `{main}` on the same splits: from its row {first}, and from its row",
        "that sees the same data (phot+img_gen beside a model of photometry alone). Positive: worse than the main network.",
        "The RMSE is that of z_mean, sigma_nmad that of z_median, for every model with PDFs.",
        "",
        "Brackets: 95 % interval of the corrected resampled t test (Nadeau & Bengio 2003), which counts that another training sample",
        "gives another network. Bold: this interval leaves out 0. `comparison.csv` also has the narrower interval of a bootstrap over",
        "objects only (`d_rmse_objects_low` ...), for which the trained networks stay as they are.",
    ]
    for dataset, part in table.groupby("dataset", sort=False):
        head = f"| model | inputs | RMSE | Δ from {first} | sigma_nmad | Δ from {first} | Δ RMSE at the same data |"
        lines += ["", f"## {dataset}", "", head, "|---" * 7 + "|"]
        for (model, inputs), rows in part.groupby(["model", "inputs"], sort=False):
            row, same = rows.iloc[0], rows.iloc[-1]
            cells = [str(model), str(inputs)]
            for name in SCORES:
                cells += [summary.text(row[name], row[f"{name}_sd"], 4), _cell(row, name)]
            cells.append(_cell(same, "rmse") if len(rows) > 1 or same["inputs"] == first else "—")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: pd.Series, name: str) -> str:
    value, low, high = (row[f"d_{name}{end}"] for end in ("", "_low", "_high"))
    if not np.isfinite(value):
        return "—"
    if not np.isfinite(low):
        return f"{value:+.4f}"  # of a single split
    text = f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"
    return f"**{text}**" if low > 0 or high < 0 else text


def write_comparison(
    *,
    predictions: Iterable[str | Path],
    catalogs: Iterable[str | Path],
    csv: str | Path,
    markdown: str | Path,
    main: str,
    seed: int,
    fractions: Sequence[float],
) -> None:
    """Write the comparison as CSV and as Markdown.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet.
    catalogs
        Paths of catalogs, {dataset}.parquet, which know the group of each object.
    csv, markdown
        Paths of the files to write.
    main
        The network that all models are compared with.
    seed
        Seed of the bootstrap.
    fractions
        Shares of the train, val and test parts of a split.
    """
    groups = {}
    for path in catalogs:
        objects = pq.read_table(path, columns=["objID", "group"]).to_pandas()
        groups[parse_catalog(path).dataset] = objects.set_index("objID")["group"]
    table = comparison(predictions, groups, main, seed, fractions)
    text = as_markdown(table, main)
    with atomic_path(csv) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    with atomic_path(markdown) as temporary:
        temporary.write_text(text)
    log.info(f"{len(table):,} differences in {csv} and {markdown}")
