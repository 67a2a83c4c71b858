"""Random train, validation and test parts that never tear a group of objIDs apart."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path

log = logging.getLogger(__name__)

SUBSETS = ("train", "val", "test")


def split(group: np.ndarray, fractions: Sequence[float], seed: int, number: int) -> np.ndarray:
    """Subset [n] ("train", "val", "test") of each object, the `number`-th random split.

    `group` [n] int64 names each object's group. Groups are ranked by a hash of (seed, number, group) and the ranking is
    cut where the objects reach `fractions`: the result depends on which objects there are, never on their order, and
    the shares are exact up to the size of a group.
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


def write_splits(
    catalog_path: str | Path, split_paths: Sequence[str | Path], fractions: Sequence[float], seed: int
) -> None:
    """Write one table a split: objID, subset. Raises CrosszError when a part would have no object."""
    catalog = pq.read_table(catalog_path, columns=["objID", "group"]).to_pandas()
    for number, path in enumerate(split_paths):
        subset = split(catalog["group"].to_numpy(), fractions, seed, number)
        sizes = {name: int((subset == name).sum()) for name in SUBSETS}
        if not all(sizes.values()):
            raise CrosszError(
                f"{catalog_path}: split {number} of {len(catalog)} objects has an empty part ({sizes}); "
                "use more objects or other splits.fractions"
            )
        with atomic_path(path) as temporary:
            pd.DataFrame({"objID": catalog["objID"], "subset": subset}).to_parquet(temporary, index=False)
        log.info(f"{path}: " + ", ".join(f"{name} {size:,}" for name, size in sizes.items()))
