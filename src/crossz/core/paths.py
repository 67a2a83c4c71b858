"""Files of a run: the pattern of each path, and its inverse.

The templates are Snakemake's patterns as they stand: `{dataset}` is a wildcard there.
"""

import re
from pathlib import Path
from typing import NamedTuple

CATALOG = "results/catalog/{dataset}.parquet"
SPLIT = "results/splits/{dataset}/{split}.parquet"
MODEL = "results/models/{dataset}/{model}/{split}/{file}"
"""The files of one trained network: model.pt, model.json, history.csv."""
PREDICTIONS = "results/predictions/{dataset}/{model}/{split}/{inputs}.parquet"
ESTIMATES_FIGURE = "results/figures/{dataset}/{model}/{inputs}.png"

WILDCARDS = {
    "dataset": r"[A-Za-z0-9_-]+",
    "model": r"[a-z0-9_]+",
    "split": r"\d+",
    "inputs": r"[a-z+_]+",
    "file": r"model\.pt|model\.json|history\.csv",
}
"""What each wildcard may be, as a regular expression."""


class CatalogFile(NamedTuple):
    """What the path of a catalog says."""

    dataset: str


class SplitFile(NamedTuple):
    """What the path of a split says."""

    dataset: str
    split: int


class ModelFile(NamedTuple):
    """What the path of a trained network's file says."""

    dataset: str
    model: str
    split: int
    file: str


class PredictionsFile(NamedTuple):
    """What the path of a table of predictions says."""

    dataset: str
    model: str
    split: int
    inputs: str


class EstimatesFigure(NamedTuple):
    """What the path of a figure of estimates says."""

    dataset: str
    model: str
    inputs: str


def catalog_path(dataset: str) -> str:
    """The catalog of a dataset."""
    return CATALOG.format(dataset=dataset)


def split_path(dataset: str, split: int) -> str:
    """The subset of each object of a dataset in one split."""
    return SPLIT.format(dataset=dataset, split=split)


def model_path(dataset: str, model: str, split: int, file: str = "model.json") -> str:
    """One file of a trained network: model.pt, model.json or history.csv."""
    return MODEL.format(dataset=dataset, model=model, split=split, file=file)


def predictions_path(dataset: str, model: str, split: int, inputs: str) -> str:
    """The table of predictions of one model with these inputs."""
    return PREDICTIONS.format(dataset=dataset, model=model, split=split, inputs=inputs)


def estimates_figure_path(dataset: str, model: str, inputs: str) -> str:
    """The figure of a model's estimates with these inputs, as PNG; the PDF lies beside it."""
    return ESTIMATES_FIGURE.format(dataset=dataset, model=model, inputs=inputs)


def parse_catalog(path: str | Path) -> CatalogFile:
    """The inverse of `catalog_path`; see `parse_predictions`."""
    return CatalogFile(_parse(CATALOG, path)["dataset"])


def parse_split(path: str | Path) -> SplitFile:
    """The inverse of `split_path`; see `parse_predictions`."""
    part = _parse(SPLIT, path)
    return SplitFile(part["dataset"], int(part["split"]))


def parse_model(path: str | Path) -> ModelFile:
    """The inverse of `model_path`; see `parse_predictions`."""
    part = _parse(MODEL, path)
    return ModelFile(part["dataset"], part["model"], int(part["split"]), part["file"])


def parse_predictions(path: str | Path) -> PredictionsFile:
    """The inverse of `predictions_path`.

    Parameters
    ----------
    path
        Only its end is read, from the first name that varies: the folder above may be another than results/predictions.

    Raises
    ------
    ValueError
        The path does not end as the template does.
    """
    part = _parse(PREDICTIONS, path)
    return PredictionsFile(part["dataset"], part["model"], int(part["split"]), part["inputs"])


def parse_estimates_figure(path: str | Path) -> EstimatesFigure:
    """The inverse of `estimates_figure_path`, with any file ending; see `parse_predictions`."""
    part = _parse(ESTIMATES_FIGURE, Path(path).with_suffix(".png"))
    return EstimatesFigure(part["dataset"], part["model"], part["inputs"])


def _parse(template: str, path: str | Path) -> dict[str, str]:
    pieces = re.split(r"\{(\w+)\}", template[template.index("{") :])  # text and names of wildcards in turn
    pattern = "".join(
        f"(?P<{piece}>{WILDCARDS[piece]})" if n % 2 else re.escape(piece) for n, piece in enumerate(pieces)
    )
    match = re.search(rf"(?:^|/){pattern}\Z", Path(path).as_posix())
    if match is None:
        raise ValueError(f"{path} does not end as {template}")
    return match.groupdict()
