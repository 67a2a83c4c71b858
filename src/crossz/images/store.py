"""The image store: the cutout files of all shards as one array, found by objID through one index."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from crossz.core.constants import OK
from crossz.images.arrow import read_arrays


def sampled_digest(path: str | Path) -> str:
    """A digest of a file's size and of 64 KiB at 64 places: cheap for 19 GB, changed by any other alignment or plan."""
    size = Path(path).stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as handle:
        for place in range(64):
            handle.seek(place * size // 64)
            digest.update(handle.read(1 << 16))
    return digest.hexdigest()


class ImageStore:
    """Images of many shards as one array, gathered by row. It holds the memory maps open.

    Parameters
    ----------
    index
        What `images.index.write_index` wrote.
    cutouts
        The cutout files that it was written of, in the same order.
    """

    def __init__(self, index: str | Path, cutouts: Sequence[str | Path]):
        self._index = pq.read_table(index).to_pandas()
        self._shards = [read_arrays(path) for path in cutouts]

    def rows(self, objID: np.ndarray) -> np.ndarray:
        """Row [n] int64 of each objID, for `gather`; -1 where there is no usable image."""
        known = self._index["objID"].to_numpy()
        if not len(known):
            return np.full(len(objID), -1)
        row = np.minimum(np.searchsorted(known, objID), len(known) - 1)
        usable = (known[row] == objID) & (self._index["status"].to_numpy()[row] == OK)
        return np.where(usable, row, -1)

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images and masks of rows.

        Parameters
        ----------
        rows : array [n] of int64
            What `rows` gave, none of them -1.

        Returns
        -------
        image : array [n, 5, 64, 64] of float16
            1/16 nmgy; 0 where masked.
        mask : array [n, 64, 64] of uint8
            Bit b of a pixel is set where no frame covered band b.
        """
        shard = self._index["shard"].to_numpy()[rows]
        row = self._index["row"].to_numpy()[rows]
        image = np.empty((len(rows), *self._shards[0]["image"].shape[1:]), np.float16)
        mask = np.empty((len(rows), *self._shards[0]["mask"].shape[1:]), np.uint8)
        for number in np.unique(shard):
            here = np.flatnonzero(shard == number)
            image[here] = self._shards[number]["image"][row[here]]
            mask[here] = self._shards[number]["mask"][row[here]]
        return image, mask
