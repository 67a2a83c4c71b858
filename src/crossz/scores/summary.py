"""Scores over the splits: mean, standard deviation, and the text that shows both."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd


class Summary(NamedTuple):
    """Scores over the splits, one row per key."""

    mean: pd.DataFrame
    sd: pd.DataFrame
    """Standard deviation; 0 of a single split."""
    splits: pd.Series
    """Number of splits."""


def over_splits(scores: pd.DataFrame, keys: Sequence[str], columns: Sequence[str]) -> Summary:
    """Mean and standard deviation of `columns` over the rows of equal `keys`, in their order.

    Parameters
    ----------
    scores
        One row per key and split.
    keys, columns
        Names of columns.
    """
    groups = scores.groupby(list(keys), sort=False)
    values = groups[list(columns)]
    return Summary(values.mean(), values.std(ddof=1).fillna(0.0), groups.size())


def text(mean: float, sd: float, digits: int, scale: float = 1) -> str:
    """Mean ± sd, both times `scale`, with as many `digits` behind the point."""
    return f"{scale * mean:.{digits}f} ± {scale * sd:.{digits}f}"
