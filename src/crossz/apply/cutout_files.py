"""Cutout files that come without an index, as those of users do: checked, and indexed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from crossz.core.constants import OK
from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import refusing
from crossz.core.names import NOT_FINITE
from crossz.images.arrow import read_arrays
from crossz.images.store import check_cutouts

_AT_ONCE = 128  # images in memory


def index_of(cutouts: Sequence[str | Path]) -> pd.DataFrame:
    """The index of cutout files: objID, shard (position in `cutouts`), row and status of each image, sorted by objID.

    Raises
    ------
    CrosszError
        A file is absent or no cutout file, or two images have the same objID.
    """
    parts = []
    for number, path in enumerate(cutouts):
        if not Path(path).is_file():
            raise CrosszError(f"{path}: no such cutout file")
        try:
            with refusing("not a cutout file"):
                columns = read_arrays(path)
                check_cutouts(columns, path)
        except Refused as error:
            raise CrosszError(f"{path}: {error}") from error
        row = np.arange(len(columns["objID"]), dtype=np.int32)
        place = {"shard": np.full(len(row), number, np.int32), "row": row}
        status = columns["status"].astype(str)
        status = np.where((status == OK) & ~_finite(columns["image"]), NOT_FINITE, status)
        parts.append(pd.DataFrame({"objID": columns["objID"], **place, "status": status}))
    index = pd.concat(parts).sort_values("objID", ignore_index=True)
    repeated = index["objID"][index["objID"].duplicated()]
    if len(repeated):
        names = ", ".join(map(str, cutouts))
        raise CrosszError(f"{names}: two images of objID {repeated.iloc[0]}; name only one of the files")
    return index


def _finite(image: np.ndarray) -> np.ndarray:
    """Whether all pixels of each image [n, 5, 64, 64] are finite; a few images at a time."""
    starts = range(0, len(image), _AT_ONCE)
    parts = [np.isfinite(image[start : start + _AT_ONCE]).all((1, 2, 3)) for start in starts]
    return np.concatenate([np.zeros(0, bool), *parts])
