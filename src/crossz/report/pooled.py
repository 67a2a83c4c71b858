"""The test rows of all splits together: what several figures show."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from crossz.estimates.predictions import read_predictions
from crossz.report.style import objects_word, splits_text


class Series(NamedTuple):
    """What a pooled table holds: the estimates of one model from one input pattern."""

    dataset: str
    model: str
    inputs: str


def pooled_tests(predictions: Iterable[str | Path]) -> dict[Series, pd.DataFrame]:
    """Test rows of all splits together, with the number of their split in a column `split`.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet.

    Returns
    -------
    dict
        One table per dataset, model and input pattern, in the order of the paths.
    """
    parts: dict[Series, list[pd.DataFrame]] = {}
    for dataset, model, split, inputs, table in read_predictions(predictions):
        test = table[table["subset"] == "test"].assign(split=split)
        parts.setdefault(Series(dataset, model, inputs), []).append(test)
    return {series: pd.concat(tables, ignore_index=True) for series, tables in parts.items()}


def pooled_title(table: pd.DataFrame) -> str:
    """The words that say how many splits, estimates and objects a pooled table holds: an object may be in several test parts."""
    objects = objects_word(table["z_spec"].to_numpy()) if "z_spec" in table else "objects"
    counts = f"{len(table):,} estimates of {table['objID'].nunique():,} {objects}"
    return f"test parts of {splits_text(table['split'].nunique())}: {counts}"
