"""Scores of photometric redshifts, `metrics.csv`, and our Table 1 beside that of the paper.

The definitions of the scores are in docs/method.md.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.constants import OK
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, read_json
from crossz.core.paths import parse_model, parse_split
from crossz.estimates.estimates import dz
from crossz.estimates.predictions import mixtures_of, read_predictions
from crossz.scores import classes as class_scores
from crossz.scores import pdf_scores
from crossz.scores.summary import Summary, over_splits, text

log = logging.getLogger(__name__)

THRESHOLDS = (0.1, 0.2, 0.3, 0.4)
"""Sizes of |dz| whose fractions the paper gives."""
MODEL_KEYS = ["dataset", "model", "inputs"]
"""What a row of Table 1 is of; each has one row per split in metrics.csv."""
ESTIMATES = {"mean": "z_mean", "median": "z_median", "mode": "z_mode"}
"""The estimates of z that a PDF gives, and their columns in a table of predictions."""
COUNTS = ["n_train", "n_val", "n_test"]
"""Number of objects of each part."""
TABLE1 = [*(f"frac_lt_{t}" for t in THRESHOLDS), "rmse"]
"""Scores of Table 1, in its order."""
POINT = ["rmse", *TABLE1[:-1], "bias_mean", "bias_median", "sigma_nmad", "outlier_0.15"]
"""Scores of point estimates, `score`."""
PDF = ["crps", "pit_ks", "coverage_68", "coverage_95", "nll"]
"""Columns of models that give PDFs; empty for point estimates."""

PAPER = pd.DataFrame(
    [
        ("baseline", "mml", "phot", 80.41, 92.60, 96.06, 98.23, 0.1332),
        ("baseline", "mml", "phot+spec_gen", 84.45, 93.59, 96.43, 98.35, 0.1235),
        ("baseline", "crossmodal", "phot+img", 82.05, 94.62, 97.88, 98.96, 0.1010),
        ("baseline", "crossmodal", "phot_gen+img", 82.14, 94.52, 97.88, 98.96, 0.1011),
        ("extended", "crossmodal", "phot+img", 86.36, 96.30, 98.67, 99.21, 0.0865),
        ("extended", "crossmodal", "phot+img_gen", 73.48, 94.60, 98.63, 99.17, 0.1035),
    ],
    columns=[*MODEL_KEYS, *TABLE1],
)
"""Table 1 of Zhang et al. (2023) as printed; fractions in per cent."""

PASQUET = {"bias_mean": "< 0.0001", "sigma_nmad": "< 0.01"}
"""Scores that Pasquet et al. (2019), A&A 621, A26, report.

Theirs are of images of half a million galaxies, the sample of workflow/sql/galaxies.sql.
"""


def score(z_spec: np.ndarray, z_phot: np.ndarray) -> dict[str, float]:
    """Scores of point estimates.

    dz is signed, the RMSE is not centred, and thresholds are strict.

    Parameters
    ----------
    z_spec, z_phot
        Redshifts [n].

    Returns
    -------
    dict
        The scores POINT by name. Fractions are between 0 and 1.

    Raises
    ------
    CrosszError
        There is no object, or a redshift is not finite.

    References
    ----------
    Zhang et al. (2023), eq. 11 (dz), and Table 1 (RMSE, fractions).
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
    predictions: Iterable[str | Path],
    train_sizes: Mapping[tuple[str, int], int],
    trained_on: Mapping[tuple[str, str, int], int],
) -> pd.DataFrame:
    """Scores of the test part, one row per dataset, model, inputs, split and estimate.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet.
    train_sizes
        Number of training rows by dataset and split.
    trained_on
        Number of training rows by dataset, model and split, for models that record it themselves.

    Returns
    -------
    DataFrame
        Columns MODEL_KEYS, split, estimate (one of ESTIMATES, or point of models without PDFs), COUNTS, POINT and PDF, which
        are those of the PDF in each of its rows. For a classification the scores of `classes.score` instead of the last two,
        and no estimate.

    Raises
    ------
    CrosszError
        Models of one split were scored on different objects.
    """
    rows = []
    scored: dict[tuple[str, int], list[int]] = {}
    for dataset, model, split, inputs, table in read_predictions(predictions):
        test = table[table["subset"] == "test"]
        if test["objID"].tolist() != scored.setdefault((dataset, split), test["objID"].tolist()):
            raise CrosszError(
                f"{dataset}, split {split}: {model} was scored on other objects; rerun -R train references"
            )
        counts = {
            "n_train": trained_on.get((dataset, model, split), train_sizes[dataset, split]),
            "n_val": int((table["subset"] == "val").sum()),
            "n_test": len(test),
        }
        keys = {"dataset": dataset, "model": model, "inputs": inputs, "split": split}
        rows += [keys | estimate | counts | scores for estimate, scores in _scores(test)]
    metrics = pd.DataFrame(rows)
    if "accuracy" in metrics:
        return metrics
    return metrics.reindex(columns=[*MODEL_KEYS, "split", "estimate", *COUNTS, *POINT, *PDF])


def _scores(test: pd.DataFrame) -> Iterator[tuple[dict[str, str], dict[str, float]]]:
    if "class_phot" in test:
        yield {}, class_scores.score_table(test)
        return
    z_spec, mixtures = test["z_spec"].to_numpy(), mixtures_of(test)
    if mixtures is None:
        yield {"estimate": "point"}, score(z_spec, test["z_phot"].to_numpy())
        return
    of_pdf = pdf_scores.score(mixtures, z_spec)
    for name, column in ESTIMATES.items():
        yield {"estimate": name}, score(z_spec, test[column].to_numpy()) | of_pdf


def headline(metrics: pd.DataFrame) -> pd.DataFrame:
    """The rows of metrics.csv that Table 1 and the figures show: the mean of a PDF, the point of a model without PDFs."""
    return metrics[metrics["estimate"].isin(["mean", "point"])] if "estimate" in metrics else metrics


def train_size(split: str | Path, index: str | Path) -> int:
    """Number of training rows of a split that have a usable image.

    Parameters
    ----------
    split, index
        Paths of a split and of the index of images.
    """
    subsets = pq.read_table(split).to_pandas()
    images = pq.read_table(index).to_pandas()
    usable = images.loc[images["status"] == OK, "objID"]
    return int((subsets["subset"].eq("train") & subsets["objID"].isin(usable)).sum())


def table1(metrics: pd.DataFrame) -> str:
    """Table 1 as Markdown: our mean ± sd over the splits beside the printed value, then rows that the paper does not have.

    Parameters
    ----------
    metrics
        Rows of metrics.csv.

    References
    ----------
    Zhang et al. (2023), Table 1.
    """
    ours = over_splits(headline(metrics), MODEL_KEYS, TABLE1)
    names = [*(f"dz < {t} (%)" for t in THRESHOLDS), "RMSE"]
    head = "| dataset | model | inputs | splits | " + " | ".join(names) + " |\n" + "|---" * (4 + len(names)) + "|"
    lines = ["# Table 1", ""]
    paper = PAPER[PAPER["dataset"].isin(metrics["dataset"])]
    if len(paper):
        lines += [
            "Each cell: ours, mean ± sd over the splits (printed in Zhang et al. 2023, of 400,000 real quasars).",
            "",
            head,
        ]
        lines += [*_printed_rows(paper, ours), "", "## More rows", ""]
    if (metrics["dataset"] == "galaxies").any():
        lines += [*_galaxies(headline(metrics[metrics["dataset"] == "galaxies"])), "", "## More scores", ""]
    lines += ["Mean ± sd over the splits, on the same test objects; not printed in the paper.", "", head]
    shown = {tuple(key) for key in paper[MODEL_KEYS].to_numpy()}
    for key in ours.mean.index:
        if key not in shown:
            lines.append(_line([*key, str(ours.splits[key]), *(_cell(ours, key, name) for name in TABLE1)]))
    lines += ["", "## The estimates of a PDF", "", *_estimates(metrics)]
    return "\n".join(lines) + "\n"


def _discriminators(accuracy: Mapping[tuple[str, str], list[float]]) -> str:
    if not accuracy:
        return ""
    lines = [
        "",
        "## Discriminators",
        "",
        "How often they tell a real feature from a generated one, in the epoch that is kept.",
    ]
    lines += [
        "50 %: the two modalities look the same to them.",
        "",
        "| dataset | model | accuracy (%) |",
        "|---" * 3 + "|",
    ]
    for key, values in accuracy.items():
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        lines.append(_line([*key, text(float(np.mean(values)), sd, 1, 100)]))
    return "\n".join(lines) + "\n"


def _estimates(metrics: pd.DataFrame) -> list[str]:
    names = {"rmse": "RMSE", "sigma_nmad": "sigma_NMAD", "frac_lt_0.1": "dz < 0.1 (%)", "outlier_0.15": "dz > 0.15 (%)"}
    ours = over_splits(metrics, [*MODEL_KEYS, "estimate"], list(names))
    lines = ["The tables above take the mean, which the RMSE asks for. sigma_NMAD asks for the median or the mode.", ""]
    lines += [_line(["dataset", "model", "inputs", "estimate", *names.values()]), "|---" * (4 + len(names)) + "|"]
    for key in ours.mean.index:
        lines.append(_line([*key, *(_cell(ours, key, name) for name in names)]))
    return lines


def _printed_rows(paper: pd.DataFrame, ours: Summary) -> list[str]:
    lines = []
    for row in paper.to_dict("records"):
        key = tuple(row[name] for name in MODEL_KEYS)
        cells = [f"{_cell(ours, key, name)} ({row[name]:.{4 if name == 'rmse' else 2}f})" for name in TABLE1]
        lines.append(_line([*key, str(ours.splits.get(key, 0)), *cells]))
    return lines


def _cell(ours: Summary, key: tuple, name: str) -> str:
    if key not in ours.mean.index:
        return "not run"
    scale, digits = (1, 4) if name in ("rmse", "sigma_nmad") else (100, 2)
    return text(ours.mean.loc[key, name], ours.sd.loc[key, name], digits, scale)


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _galaxies(metrics: pd.DataFrame) -> list[str]:
    names = {"bias_mean": "mean dz", "bias_median": "median dz", "sigma_nmad": "sigma_NMAD", "rmse": "RMSE"}
    mean, sd, splits = over_splits(metrics, ["model", "inputs"], list(names))
    lines = ["Galaxies: ours, mean ± sd over the splits, below what Pasquet et al. (2019) report.", ""]
    lines += [_line(["model", "inputs", "splits", *names.values()]), "|---" * (3 + len(names)) + "|"]
    lines += [f"| Pasquet et al. (2019) | img | — | {PASQUET['bias_mean']} | — | {PASQUET['sigma_nmad']} | — |"]
    for key in mean.index:
        cells = [text(mean.loc[key, name], sd.loc[key, name], 5) for name in names]
        lines.append(_line([*key, str(splits[key]), *cells]))
    return lines


def write_metrics(
    *,
    predictions: Iterable[str | Path],
    splits: Iterable[str | Path],
    index: str | Path,
    infos: Iterable[str | Path],
    metrics: str | Path,
    table: str | Path,
) -> None:
    """Write metrics.csv and table1.md; equal predictions give equal bytes.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet.
    splits
        Paths of splits, {dataset}/{split}.parquet.
    index
        Path of the index of images.
    infos
        Paths {dataset}/{model}/{split}/model.json of the models that were trained.
    metrics, table
        Paths of metrics.csv and table1.md.

    Raises
    ------
    CrosszError
        Models of one split were scored on different objects.
    """
    train_sizes, trained_on = {}, {}
    accuracy: dict[tuple[str, str], list[float]] = {}
    for path in splits:
        dataset, split = parse_split(path)
        train_sizes[dataset, split] = train_size(path, index)
    for path in infos:
        dataset, model, split, _ = parse_model(path)
        info = read_json(path)
        trained_on[dataset, model, split] = info["n"]["train"]
        members = [member for member in info.get("members", ()) if "discriminator_accuracy" in member]
        accuracy.setdefault((dataset, model), []).extend(member["discriminator_accuracy"] for member in members)
    scores = metrics_table(predictions, train_sizes, trained_on)
    page = class_scores.markdown(scores) if "accuracy" in scores else table1(scores)
    page += _discriminators({key: values for key, values in accuracy.items() if values})
    with atomic_path(table) as temporary:
        temporary.write_text(page)
    with atomic_path(metrics) as temporary:
        scores.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    log.info(f"{len(scores):,} rows in {metrics}, and {table}")
