"""Evaluation: the estimates of validation and test rows, one table for each input pattern."""

from collections.abc import Sequence
from pathlib import Path

from crossz.core.paths import parse_predictions
from crossz.estimates.predictions import write_predictions
from crossz.images.store import ImageStore
from crossz.models.data import load_part
from crossz.models.device import choose_device, deterministic
from crossz.models.inference import estimate, load_networks
from crossz.models.rows import load_rows


def evaluate(
    *,
    catalog: str | Path,
    split: str | Path,
    index: str | Path,
    cutouts: Sequence[str | Path],
    model: str | Path,
    info: str | Path,
    predictions: Sequence[str | Path],
    threads: int = 1,
) -> None:
    """Write the estimates of the validation and test rows of a split.

    Parameters
    ----------
    catalog, split, index, cutouts
        The rows, their subsets, and their images (`models.rows.load_rows`).
    model, info
        Weights and description of the networks.
    predictions
        The tables to write, each named after its input pattern (`core.paths.predictions_path`).
    threads
        Threads of the processor.

    Raises
    ------
    CrosszError
        The weights are not those that `info` was written with, or an estimate is not finite.
    """
    deterministic(threads)
    networks = load_networks(model, info, choose_device())
    store = ImageStore(index, cutouts)
    rows = load_rows(catalog, split, store)
    rows = rows[rows["subset"] != "train"]
    part = load_part(rows, store, networks.info, networks.device)
    estimates = estimate(networks, part.inputs, networks.info.inputs)
    for path in predictions:
        write_predictions(path, rows, estimates[parse_predictions(path).inputs])
