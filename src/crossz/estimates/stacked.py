"""The stack of a run: its weights and temperatures, and its predictions."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from crossz.core.files import write_json
from crossz.estimates import stack as pools
from crossz.estimates.estimates import Pdf
from crossz.estimates.predictions import mixtures_of, read_predictions, write_predictions
from crossz.estimates.stack import Pool

log = logging.getLogger(__name__)


def write_stack(
    *,
    networks: Sequence[str | Path],
    trees: Sequence[str | Path],
    predictions: Sequence[str | Path],
    stack: str | Path,
) -> None:
    """Fit the stack of every split and input pattern, and write its predictions.

    Parameters
    ----------
    networks
        Paths of the network's tables of predictions, .../{split}/{inputs}.parquet.
    trees
        Path of the table of the trees' PDFs of each split, in order (`models.growing`).
    predictions
        Paths of the tables to write, in the order of `networks`.
    stack
        The JSON file to write: splits, the weight and the temperature of each split by inputs.
    """
    fitted: list[dict[str, dict[str, float]]] = [{} for _ in trees]
    said = [pd.read_parquet(path) for path in trees]
    for (_, _, split, inputs, table), path in zip(read_predictions(networks), predictions, strict=True):
        estimate, pool = stacked(table, said[split])
        fitted[split][inputs] = pool._asdict()
        rows = table[["objID", "subset"]].assign(z=table["z_spec"])
        write_predictions(path, rows, estimate)
        log.info(f"split {split}, {inputs}: weight of the trees {pool.weight:.2f}, temperature {pool.temperature:.3f}")
    write_json(stack, {"splits": fitted})


def stacked(table: pd.DataFrame, trees: pd.DataFrame) -> tuple[Pdf, Pool]:
    """The stack of one table of a network's predictions, and what was fitted on its validation part.

    Parameters
    ----------
    table
        Predictions of n objects.
    trees
        objID and PDFs of those that are complete.
    """
    mixture, theirs = mixtures_of(table), mixtures_of(trees)
    if mixture is None or theirs is None:
        raise ValueError("a stack is of PDFs")
    place = pd.Index(trees["objID"]).get_indexer(table["objID"])
    there = place >= 0
    network, forest = Pdf(mixture), Pdf(theirs).take(place[there])
    val = (table["subset"] == "val").to_numpy() & there
    chosen = np.flatnonzero(val[there])
    pool = pools.fit(network.take(np.flatnonzero(val)), forest.take(chosen), table["z_spec"].to_numpy()[val])
    return pools.pooled(network, forest, there, pool), pool
