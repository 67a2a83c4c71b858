"""The model card of a bundle: training data, scores, calibration, training domain, limits, and how to use it."""

import json
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from crossz.apply.bundle_folder import table_columns
from crossz.apply.templating import clean, escaped, markdown_environment
from crossz.scores.metrics import headline
from crossz.scores.summary import over_splits, text

Table = tuple[Sequence[Any], Sequence[Sequence[Any]]]
"""Headings [m] and rows [n, m]."""

_SCORES = {
    "rmse": "RMSE",
    "frac_lt_0.1": "dz < 0.1",
    "frac_lt_0.2": "dz < 0.2",
    "bias_mean": "bias",
    "sigma_nmad": "sigma_nmad",
    "outlier_0.15": "outliers",
    "crps": "CRPS",
}
_BINNED = {
    name: _SCORES.get(name, "median bias")
    for name in ("rmse", "frac_lt_0.1", "bias_median", "sigma_nmad", "outlier_0.15")
}
_CLASS_SCORES = {"accuracy": "accuracy", "log_loss": "log loss", "roc_auc": "ROC-AUC"}
_AT_ENDS = {"at_low_end": "at the low end", "at_high_end": "at the high end"}
_CALIBRATION = {"coverage_68": "68 % sets cover", "coverage_95": "95 % sets cover", "pit_ks": "PIT, KS distance"}


def markdown(
    facts: Mapping[str, Any],
    metrics: pd.DataFrame,
    references: Sequence[str],
    query: str | None,
    name: str,
    *,
    binned: pd.DataFrame | None = None,
    notes: str | None = None,
) -> str:
    """The model card.

    Texts of `facts` and `metrics` are escaped, so that no name becomes HTML or markup.

    Parameters
    ----------
    facts
        The content of bundle.json.
    metrics
        metrics.csv of the run.
    references
        Models whose scores stand beside those of the network.
    query
        The SQL text of the data, if there was a query.
    name
        The name of the bundle.
    binned
        metrics_binned.csv of the run; None of classes.
    notes
        Markdown text of the makers.
    """
    ours = metrics[(metrics["dataset"] == facts["dataset"]) & (metrics["model"] == facts["network"])]
    theirs = metrics[(metrics["dataset"] == facts["dataset"]) & metrics["model"].isin(references)]
    plain, classes = escaped(dict(facts)), facts.get("classes")
    ends = plain["domain"]["features"]["z"]
    environment = markdown_environment()
    environment.filters["code"] = lambda text: f"`{text}`"
    return environment.get_template("card.md.jinja").render(
        title=escaped(name),
        facts=plain | {"classes": plain.get("classes"), "columns": plain.get("columns")},
        z_min=f"{ends[0]:.2f}",
        z_max=f"{ends[-1]:.2f}",
        ends=[f"{z:.2f}" for z in plain.get("ensemble", {}).get("ends", ())],
        shell_name=shlex.quote(clean(name)),
        python_name=json.dumps(clean(name)),
        columns=_columns(plain),
        query=query and query.strip(),
        fence=_fence(query or ""),
        fractions=" / ".join(f"{part:.0%}" for part in facts["made"]["splits"]["fractions"]),
        parts=_parts(plain["splits"]),
        scores=_scores(pd.concat([ours, theirs]), _CLASS_SCORES if classes else _SCORES),
        calibration=None
        if classes
        else _scores(headline(ours).drop(columns="estimate", errors="ignore"), _CALIBRATION),
        temperatures=_temperatures(plain["splits"]),
        binned=None if binned is None else _binned(binned, facts),
        notes=notes and notes.strip(),
        ensemble=_ensemble(plain.get("ensemble", {})),
        stacked=_ensemble(plain.get("stack", {}).get("ensemble", {})),
        coverage_error=_coverage_error(plain.get("ensemble", {})),
        domain=_domain(plain["domain"]),
        missing=", ".join(f"{band} {share:.2%}" for band, share in plain["domain"]["missing"].items()),
        made=_made(plain),
    )


def _columns(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}`" for name in table_columns(facts["magnitudes"], facts.get("columns", ())))


def _fence(text: str) -> str:
    """More backticks than stand together anywhere in `text`."""
    return "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))


def _parts(splits: Sequence[Mapping[str, Any]]) -> Table:
    return ["split", *splits[0]["n"]], [[number, *split["n"].values()] for number, split in enumerate(splits)]


def _scores(metrics: pd.DataFrame, columns: Mapping[str, str]) -> Table:
    rows = []
    keys = [name for name in ("model", "inputs", "estimate") if name in metrics]
    mean, sd, _ = over_splits(metrics, keys, [*columns])
    for key in mean.index:
        values = [(mean.loc[key, name], sd.loc[key, name]) for name in columns]
        rows.append([*map(escaped, key), *("" if pd.isna(value[0]) else text(*value, 4) for value in values)])
    return [*keys, *columns.values()], rows


def _temperatures(splits: Sequence[Mapping[str, Any]]) -> Table | None:
    if "temperature" not in splits[0]:
        return None
    rows = [[name, *(f"{split['temperature'][name]:.3f}" for split in splits)] for name in splits[0]["temperature"]]
    return ["inputs", *(f"split {number}" for number in range(len(splits)))], rows


def _ensemble(content: Mapping[str, Any]) -> Table | None:
    names = {"n": "objects", "splits": "splits", **_CLASS_SCORES, **_SCORES, **_CALIBRATION, **_AT_ENDS}
    scores, temperature = content.get("scores", {}), content.get("temperature", {})
    if not scores:
        return None
    shown = [name for name in names if name in next(iter(scores.values()))]
    rows = []
    for inputs, found in scores.items():
        digits = {"n": ",", "splits": ".1f"}
        cells = [format(found[name], digits.get(name, ".4f")) for name in shown]
        rows.append([inputs, *cells, format(temperature[inputs], ".3f") if inputs in temperature else "—"])
    return ["inputs", *(names[name] for name in shown), "temperature"], rows


def _coverage_error(content: Mapping[str, Any]) -> str | None:
    """The standard deviation of the share of n objects that 68 % sets cover, if the sets are right."""
    counts = [found["n"] for found in content.get("scores", {}).values() if {"n", "coverage_68"} <= found.keys()]
    return format(math.sqrt(0.68 * 0.32 / min(counts)), ".3f") if counts else None


def _binned(binned: pd.DataFrame, facts: Mapping[str, Any]) -> Table:
    """Scores of the network in bins of redshift, with the inputs that most objects will have."""
    rows = binned[(binned["dataset"] == facts["dataset"]) & (binned["model"] == facts["network"])]
    rows = rows[(rows["by"] == "z") & (rows["inputs"] == rows["inputs"].iloc[0]) & rows["rmse"].notna()]
    cells = [
        [f"{row['low']:g} - {row['high']:g}", row["n"], *(f"{row[name]:.4f}" for name in _BINNED)]
        for row in rows.to_dict("records")
    ]
    return ["z", "objects", *_BINNED.values()], cells


def _domain(domain: Mapping[str, Any]) -> Table:
    ends = {0: "min", 1: "max"}
    quantiles = [ends.get(quantile, f"{100 * quantile:g} %") for quantile in domain["quantiles"]]
    rows = [[name, *(values or ["-"] * len(quantiles))] for name, values in domain["features"].items()]
    return ["feature", *quantiles], rows


def _made(facts: Mapping[str, Any]) -> list[list[Any]]:
    made, splits = facts["made"], facts["splits"]
    return [
        ["seed", facts["seed"]],
        ["device", ", ".join(sorted({split["device"] for split in splits}))],
        ["best epochs", ", ".join(str(member["best_epoch"]) for split in splits for member in split["members"])],
        ["magnitudes", facts["magnitudes"]],
        ["features", facts.get("features", "colours")],
        *([name, value] for name, value in facts["crossmodal"].items()),
        *([f"train.{name}", value] for name, value in facts["train"].items()),
        *([f"code of {name}", digest] for name, digest in made["code"].items()),
        *([name, version] for name, version in made["versions"].items()),
        ["SHA-256 of run.yaml", made["record_sha256"]],
        ["SHA-256 of metrics.csv", made["metrics_sha256"]],
    ]
