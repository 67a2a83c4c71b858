"""The image store: the cutout files of all shards as one array, found by objID through one index."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crossz.core.constants import BANDS, CUTOUT_SIZE, OK
from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import refusing
from crossz.core.names import NOT_FINITE
from crossz.images.arrow import read_arrays

_MADE = "cutout files are made as results/cutouts/*.arrow"
_LONGEST_STATUS = 100
_KINDS = {
    "objID": pa.types.is_int64,
    "shard": pa.types.is_signed_integer,
    "row": pa.types.is_signed_integer,
    "status": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
}


def sampled_digest(path: str | Path) -> str:
    """A digest of a file's size and of 64 KiB at 64 places: cheap for 19 GB, changed by any other alignment or plan."""
    size = Path(path).stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as handle:
        for place in range(64):
            handle.seek(place * size // 64)
            digest.update(handle.read(1 << 16))
    return digest.hexdigest()


def read_index(path: str | Path) -> pd.DataFrame:
    """The index of images: objID, shard, row and status of each image, sorted by objID.

    Raises
    ------
    CrosszError
        It is none that `images.index.write_index` wrote: a column is absent, of another type or has nulls, or an objID or a
        place stands in it twice.
    """
    try:
        with refusing("not an index of images"):
            table = pq.read_table(path)
            wrong = [
                name for name, is_kind in _KINDS.items() if not is_kind(table[name].type) or table[name].null_count
            ]
            index = table.select([*_KINDS]).to_pandas(ignore_metadata=True)
        if wrong:
            raise Refused(f"{', '.join(wrong)}: of another type, or with nulls")
        if not (np.diff(index["objID"]) > 0).all():
            raise Refused("its objIDs are repeated, or not sorted")
        if (index[["shard", "row"]] < 0).any(axis=None) or index.duplicated(["shard", "row"]).any():
            raise Refused("two images have one place, or one has none")
    except Refused as error:
        raise CrosszError(f"{path}: {error}; delete it and rerun") from error
    return index


def check_cutouts(columns: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Return if the `columns` of a cutout file are such, and agree in length. Raises CrosszError otherwise."""
    if absent := {"objID", "status", "image", "mask"} - columns.keys():
        raise CrosszError(f"{path}: no column {', '.join(sorted(absent))}; {_MADE}")
    size = (CUTOUT_SIZE, CUTOUT_SIZE)
    for name, shape, dtype in (
        ("objID", (), np.int64),
        ("image", (len(BANDS), *size), np.float16),
        ("mask", size, np.uint8),
    ):
        found = columns[name]
        if found.shape[1:] != shape or found.dtype != dtype:
            raise CrosszError(
                f"{path}: {name} is {found.dtype} {found.shape[1:]}, wanted {np.dtype(dtype)} {shape}; {_MADE}"
            )
    if {*map(type, columns["status"])} - {str} or max(map(len, columns["status"]), default=0) > _LONGEST_STATUS:
        raise CrosszError(f"{path}: a status that is no word; {_MADE}")
    if {len(columns[name]) for name in ("status", "image", "mask")} - {len(columns["objID"])}:
        raise CrosszError(f"{path}: its rows lie in several batches; write them in one")


class ImageStore:
    """Images of many shards as one array, gathered by row. It holds the memory maps open.

    Parameters
    ----------
    index
        What `images.index.write_index` wrote.
    cutouts
        The cutout files that it was written of, in the same order, or the same objects aligned otherwise. None of them where
        no image is looked at.

    Raises
    ------
    CrosszError
        The index is none (`read_index`), a cutout file is none (`check_cutouts`), or the two do not belong together.
    """

    def __init__(self, index: str | Path, cutouts: Sequence[str | Path]):
        images = read_index(index)
        self._objID, self._shard, self._row = (images[name].to_numpy(np.int64) for name in ("objID", "shard", "row"))
        self._status = np.append(images["status"].to_numpy(object), "")  # the last one is that of none
        self._shards = [read_arrays(path) for path in cutouts]
        for path, shard in zip(cutouts, self._shards, strict=True):
            check_cutouts(shard, path)
        if self._shards and (problem := self._other_images()):
            raise CrosszError(f"{index}: not the index of {cutouts[0]} ...: {problem}; delete it and rerun")

    def _other_images(self) -> str:
        """What the index says of images otherwise than the cutout files themselves; "" if nothing."""
        count = np.array([len(columns["objID"]) for columns in self._shards])
        if len(self._row) != count.sum():
            return f"it has {len(self._row):,} images, they {count.sum():,}"
        if (self._shard >= len(count)).any() or (self._row >= count[self._shard]).any():
            return "an image lies behind their end"
        place = (np.cumsum(count) - count)[self._shard] + self._row
        objID, status = (
            np.concatenate([columns[name] for columns in self._shards])[place] for name in ("objID", "status")
        )
        if (other := objID != self._objID).any():
            return f"{other.sum():,} images are of other objIDs"
        ours = self._status[:-1]
        if (other := (status != ours) & (ours != NOT_FINITE)).any():  # which only who looked at all pixels knows
            return f"{other.sum():,} images have another status"
        return ""

    def rows(self, objID: np.ndarray) -> np.ndarray:
        """Row [n] int64 of each objID, for `gather`; -1 where there is no usable image."""
        row = self._place(objID)
        return np.where(self._status[row] == OK, row, -1)

    def status(self, objID: np.ndarray) -> np.ndarray:
        """Status [n] of the image of each objID, "" where none was sought."""
        return self._status[self._place(objID)].astype(str)

    def _place(self, objID: np.ndarray) -> np.ndarray:
        """Row [n] of each objID in the index, -1 where it is not there."""
        if not len(self._objID):
            return np.full(len(objID), -1)
        row = np.minimum(np.searchsorted(self._objID, objID), len(self._objID) - 1)
        return np.where(self._objID[row] == objID, row, -1)

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
        shard, row = self._shard[rows], self._row[rows]
        image = np.empty((len(rows), *self._shards[0]["image"].shape[1:]), np.float16)
        mask = np.empty((len(rows), *self._shards[0]["mask"].shape[1:]), np.uint8)
        for number in np.unique(shard):
            here = np.flatnonzero(shard == number)
            image[here] = self._shards[number]["image"][row[here]]
            mask[here] = self._shards[number]["mask"][row[here]]
        return image, mask
