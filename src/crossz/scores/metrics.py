"""Scores of photometric redshifts, `metrics.csv`, and the paper's Table 1 beside ours. Definitions: docs/method.md."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, read_json
from crossz.estimates import pdf
from crossz.estimates.predictions import dz, mixtures_of, read_predictions
from crossz.scores import classes as class_scores

log = logging.getLogger(__name__)

THRESHOLDS = (0.1, 0.2, 0.3, 0.4)
KEYS = ["dataset", "model", "inputs", "split"]
COUNTS = ["n_train", "n_val", "n_test"]
POINT = ["rmse", *(f"frac_lt_{t}" for t in THRESHOLDS), "bias_mean", "bias_median", "sigma_nmad", "outlier_0.15"]
PDF = ["crps", "pit_ks", "coverage_68", "coverage_95", "nll"]
"""Columns for models that give a PDF; empty for a point estimate."""

PAPER = pd.DataFrame(
    [
        ("baseline", "mml", "phot", 80.41, 92.60, 96.06, 98.23, 0.1332),
        ("baseline", "mml", "phot+spec_gen", 84.45, 93.59, 96.43, 98.35, 0.1235),
        ("baseline", "crossmodal", "phot+img", 82.05, 94.62, 97.88, 98.96, 0.1010),
        ("baseline", "crossmodal", "phot_gen+img", 82.14, 94.52, 97.88, 98.96, 0.1011),
        ("extended", "crossmodal", "phot+img", 86.36, 96.30, 98.67, 99.21, 0.0865),
        ("extended", "crossmodal", "phot+img_gen", 73.48, 94.60, 98.63, 99.17, 0.1035),
    ],
    columns=["dataset", "model", "inputs", *(f"frac_lt_{t}" for t in THRESHOLDS), "rmse"],
)
"""Table 1 as printed (Zhang et al. 2023); fractions in per cent."""

PASQUET = {"bias_mean": "< 0.0001", "sigma_nmad": "< 0.01"}
"""What Pasquet et al. (2019), A&A 621, A26, report of images of the sample of workflow/sql/galaxies.sql; half a million of them."""


def score(z_spec: np.ndarray, z_phot: np.ndarray) -> dict[str, float]:
    """The point scores of n objects, by name; dz is signed, the RMSE is not centred, thresholds are strict.

    Raises CrosszError when there is no object or a redshift is not finite.
    """
    error = dz(z_phot, z_spec)
    if not len(error) or not np.isfinite(error).all():
        raise CrosszError(f"{int((~np.isfinite(error)).sum())} of {len(error)} predictions cannot be scored")
    size = np.abs(error)
    middle = np.median(error)
    return (
        {"rmse": float(np.sqrt(np.mean(error**2)))}
        | {f"frac_lt_{t}": float(np.mean(size < t)) for t in THRESHOLDS}
        | {
            "bias_mean": float(error.mean()),
            "bias_median": float(middle),
            "sigma_nmad": float(1.4826 * np.median(np.abs(error - middle))),
            "outlier_0.15": float(np.mean(size > 0.15)),
        }
    )


def metrics_table(
    prediction_paths: Iterable[str | Path],
    train_sizes: dict[tuple[str, int], int],
    trained_on: dict[tuple[str, str, int], int],
) -> pd.DataFrame:
    """One row per dataset, model, inputs and split, scored on the test part; columns KEYS, COUNTS, POINT, PDF.

    Of classes: KEYS, COUNTS and the scores of `classes.score`.

    `train_sizes`: number of training rows of each (dataset, split); `trained_on`: of (dataset, model, split) where a
    model says for itself. Raises CrosszError when models of one split were not scored on the same objects.
    """
    rows, seen = [], {}
    for dataset, model, split, inputs, table in read_predictions(prediction_paths):
        test = table[table["subset"] == "test"]
        objects = seen.setdefault((dataset, split), test["objID"].tolist())
        if test["objID"].tolist() != objects:
            raise CrosszError(
                f"{dataset}, split {split}: {model} was scored on other objects; rerun -R train references"
            )
        counts = {
            "n_train": trained_on.get((dataset, model, split), train_sizes[dataset, split]),
            "n_val": int((table["subset"] == "val").sum()),
            "n_test": len(test),
        }
        if "class_phot" in test:
            scores = class_scores.score_table(test)
        else:
            scores = score(test["z_spec"].to_numpy(), test["z_phot"].to_numpy())
            if (mixtures := mixtures_of(test)) is not None:
                scores |= pdf.scores(mixtures, test["z_spec"].to_numpy())
        rows.append({"dataset": dataset, "model": model, "inputs": inputs, "split": split} | counts | scores)
    found = pd.DataFrame(rows)
    return found if "accuracy" in found else found.reindex(columns=[*KEYS, *COUNTS, *POINT, *PDF])


def train_size(split_path: str | Path, index_path: str | Path) -> int:
    """Number of training rows of a split that have a usable image."""
    split = pq.read_table(split_path).to_pandas()
    index = pq.read_table(index_path).to_pandas()
    usable = index.loc[index["status"] == "ok", "objID"]
    return int((split["subset"].eq("train") & split["objID"].isin(usable)).sum())


def table1(metrics: pd.DataFrame) -> str:
    """Markdown: our mean ± sd over the splits beside the printed value, then the rows that the paper does not have."""
    columns = [*(f"frac_lt_{t}" for t in THRESHOLDS), "rmse"]
    keys = ["dataset", "model", "inputs"]
    groups = metrics.groupby(keys, sort=False)[columns]
    mean, sd = groups.mean(), groups.std(ddof=1).fillna(0.0)
    splits = metrics.groupby(keys, sort=False)["split"].nunique()

    def ours(key: tuple[str, str, str], column: str) -> str:
        if key not in mean.index:
            return "not run"
        scale, digits = (1, 4) if column == "rmse" else (100, 2)
        return f"{scale * mean.loc[key, column]:.{digits}f} ± {scale * sd.loc[key, column]:.{digits}f}"

    def printed(row: pd.Series, column: str) -> str:
        return f"{row[column]:.4f}" if column == "rmse" else f"{row[column]:.2f}"

    names = [*(f"dz < {t} (%)" for t in THRESHOLDS), "RMSE"]
    head = "| dataset | model | inputs | splits | " + " | ".join(names) + " |\n" + "|---" * (4 + len(names)) + "|"
    lines = ["# Table 1", ""]
    paper = PAPER[PAPER["dataset"].isin(metrics["dataset"])]
    if len(paper):
        lines += ["Each cell: ours, mean ± sd over the splits (printed in Zhang et al. 2023).", "", head]
        for _, row in paper.iterrows():
            key = tuple(row[keys])
            cells = [f"{ours(key, column)} ({printed(row, column)})" for column in columns]
            lines.append("| " + " | ".join([*key, str(splits.get(key, 0)), *cells]) + " |")
        lines += ["", "## More rows", ""]
    if (metrics["dataset"] == "galaxies").any():
        lines += [*_galaxies(metrics[metrics["dataset"] == "galaxies"]), "", "## More scores", ""]
    lines += ["Mean ± sd over the splits, on the same test objects; not printed in the paper.", "", head]
    shown = {tuple(key) for key in paper[keys].to_numpy()}
    for key in mean.index:
        if key not in shown:
            lines.append("| " + " | ".join([*key, str(splits[key]), *(ours(key, column) for column in columns)]) + " |")
    return "\n".join(lines) + "\n"


def _galaxies(metrics: pd.DataFrame) -> list[str]:
    names = {"bias_mean": "mean dz", "bias_median": "median dz", "sigma_nmad": "sigma_NMAD", "rmse": "RMSE"}
    groups = metrics.groupby(["model", "inputs"], sort=False)
    mean, sd, splits = groups[list(names)].mean(), groups[list(names)].std(ddof=1).fillna(0.0), groups.size()
    lines = ["Galaxies: ours, mean ± sd over the splits, below what Pasquet et al. (2019) report.", ""]
    lines += ["| model | inputs | splits | " + " | ".join(names.values()) + " |", "|---" * (3 + len(names)) + "|"]
    lines += [f"| Pasquet et al. (2019) | img | — | {PASQUET['bias_mean']} | — | {PASQUET['sigma_nmad']} | — |"]
    for key in mean.index:
        cells = [f"{mean.loc[key, name]:.5f} ± {sd.loc[key, name]:.5f}" for name in names]
        lines.append("| " + " | ".join([*key, str(splits[key]), *cells]) + " |")
    return lines


def write_metrics(
    prediction_paths: Iterable[str | Path],
    split_paths: Iterable[str | Path],
    index_path: str | Path,
    info_paths: Iterable[str | Path],
    metrics_path: str | Path,
    table_path: str | Path,
) -> None:
    """Write metrics.csv and table1.md; equal predictions give equal bytes. `info_paths`: every model.json."""
    sizes = {(Path(path).parts[-2], int(Path(path).stem)): train_size(path, index_path) for path in split_paths}
    trained_on = {}
    for path in map(Path, info_paths):
        dataset, model, split = path.parts[-4:-1]
        trained_on[dataset, model, int(split)] = read_json(path)["n"]["train"]
    metrics = metrics_table(prediction_paths, sizes, trained_on)
    text = class_scores.markdown(metrics) if "accuracy" in metrics else table1(metrics)
    with atomic_path(table_path) as temporary:
        temporary.write_text(text)
    with atomic_path(metrics_path) as temporary:
        metrics.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    log.info(text)
