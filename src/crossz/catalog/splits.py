"""Random train, validation and test parts that never tear a group of objIDs apart."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.constants import SUBSETS
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path

log = logging.getLogger(__name__)


def split(group: np.ndarray, fractions: Sequence[float], seed: int, number: int) -> np.ndarray:
    """The `number`-th random split of objects into SUBSETS.

    Groups are ranked by a hash of (seed, number, group), and the ranking is cut where the objects reach `fractions`. So
    the result depends on which objects there are, never on their order, and the shares are exact up to the size of a
    group.

    Parameters
    ----------
    group : array [n] of int64
        The group of each object.
    fractions
        Shares of the SUBSETS; they sum to 1.
    seed, number
        Two splits of one seed differ by their number.

    Returns
    -------
    array [n] of str
        The subset of each object.
    """
    names, members = np.unique(group, return_counts=True)
    rank = np.array([_hash(seed, number, name) for name in names.tolist()], np.uint64)
    order = np.lexsort((names, rank))
    filled = np.cumsum(members[order]) - members[order] / 2  # a group goes where its middle object falls
    edges = np.cumsum(fractions)[:-1] * len(group)
    subset = np.empty(len(names), dtype="U5")
    subset[order] = np.asarray(SUBSETS)[np.searchsorted(edges, filled, side="right")]
    return subset[np.searchsorted(names, group)]


def _hash(seed: int, number: int, group: int) -> int:
    text = f"{seed}:{number}:{group}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def write_splits(*, catalog: str | Path, splits: Sequence[str | Path], fractions: Sequence[float], seed: int) -> None:
    """Write one table a split: objID, subset.

    Parameters
    ----------
    catalog
        What `objects.write_catalog` wrote.
    splits
        What is written.
    fractions, seed
        See `split`.

    Raises
    ------
    CrosszError
        A subset would have no object.
    """
    objects = pq.read_table(catalog, columns=["objID", "group"]).to_pandas()
    for number, path in enumerate(splits):
        subset = split(objects["group"].to_numpy(), fractions, seed, number)
        sizes = {name: int((subset == name).sum()) for name in SUBSETS}
        if not all(sizes.values()):
            raise CrosszError(
                f"{catalog}: split {number} of {len(objects)} objects has an empty part ({sizes}); "
                "use more objects or other splits.fractions"
            )
        with atomic_path(path) as temporary:
            pd.DataFrame({"objID": objects["objID"], "subset": subset}).to_parquet(temporary, index=False)
        log.info(f"{path}: " + ", ".join(f"{name} {size:,}" for name, size in sizes.items()))
