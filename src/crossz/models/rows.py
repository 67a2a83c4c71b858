"""Which rows every model of a split sees."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.constants import SUBSETS
from crossz.core.errors import CrosszError
from crossz.images.store import ImageStore


def load_rows(
    catalog: str | Path, split: str | Path, store: ImageStore, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Catalog rows of one split with two more columns, sorted by objID: subset, and row in the image store.

    Objects without a usable image are left out for all models alike, photometry-only ones too, so that their scores
    compare.

    Parameters
    ----------
    catalog, split, store
        The rows, their subsets, and their images.
    columns
        Columns beside objID, as far as the catalog has them; default: all.

    Raises
    ------
    CrosszError
        A part is left empty.
    """
    subsets = pq.read_table(split).to_pandas()
    subsets["row"] = store.rows(subsets["objID"].to_numpy())
    if columns is not None:
        columns = [name for name in pq.read_schema(catalog).names if name in {"objID", *columns}]
    table = pq.read_table(catalog, columns=columns).to_pandas()
    rows = subsets[subsets["row"] >= 0].merge(table, on="objID", validate="one_to_one")
    if empty := [part for part in SUBSETS if not (rows["subset"] == part).any()]:
        raise CrosszError(f"{split}: no object with a usable image is left in part {' and '.join(empty)}")
    return rows.sort_values("objID", ignore_index=True)


def subsample(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    """`share` of the rows, at least two, chosen by a hash of objID: a smaller share is part of any larger one."""
    if share == 1:
        return rows
    order = [hashlib.blake2b(objID.tobytes(), digest_size=8).digest() for objID in rows["objID"].to_numpy()]
    kept = np.sort(np.argsort(order)[: max(2, round(share * len(rows)))])
    return rows.iloc[kept]
