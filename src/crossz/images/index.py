"""The index of images: where each objID's cutout lies, and which objects have none."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.constants import BANDS, OK
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, digests, write_json
from crossz.images.arrow import read_arrays

log = logging.getLogger(__name__)


def write_index(
    *,
    cutouts: Sequence[str | Path],
    plan: Sequence[str | Path],
    index: str | Path,
    counts: str | Path,
    missing: str | Path,
) -> None:
    """Write where each objID's image lies, and the account of every object.

    Parameters
    ----------
    cutouts
        The cutout files.
    plan
        The plans of the same shards.
    index
        What is written: objID, shard (position in `cutouts`), row in the file, status.
    counts
        What is written: how many objects have each status.
    missing
        What is written: the objects of the plans without a usable image, where they are, their status, and the bands
        that do not cover them.

    Raises
    ------
    CrosszError
        An objID stands in two cutout files, or in a plan and in no cutout file.
    """
    rows = pd.concat([_rows(path, number) for number, path in enumerate(cutouts)])
    rows = rows.sort_values("objID", ignore_index=True)
    repeated = rows["objID"][rows["objID"].duplicated()]
    if len(repeated):
        raise CrosszError(
            f"{len(repeated)} objIDs stand in two cutout files, the first is {repeated.iloc[0]}; rerun `plan`"
        )
    planned = pd.concat([pq.read_table(path).to_pandas() for path in plan])
    forgotten = np.setdiff1d(planned["objID"], rows["objID"])
    if len(forgotten):
        raise CrosszError(
            f"{len(forgotten)} planned objIDs stand in no cutout file, the first is {forgotten[0]}; rerun `stamps`"
        )
    lost = planned.merge(rows.loc[rows["status"] != OK, ["objID", "status", "bands"]], on="objID").sort_values("objID")
    status = {str(name): int(count) for name, count in rows["status"].value_counts().sort_index().items()}
    log.info(f"{len(rows):,} objects: " + ", ".join(f"{name} {count:,}" for name, count in status.items()))
    with atomic_path(missing) as temporary:
        lost.to_csv(temporary, index=False)
    with atomic_path(index) as temporary:
        rows.drop(columns="bands").to_parquet(temporary, index=False)
    write_json(counts, {"objects": len(rows), "status": status, "sha256": digests(index)})


def _rows(path: str | Path, number: int) -> pd.DataFrame:
    """objID, shard, row, status and uncovered bands of the objects of cutout file `number`."""
    columns = read_arrays(path)
    count = len(columns["objID"])
    place = {"shard": np.full(count, number, np.int32), "row": np.arange(count, dtype=np.int32)}
    status = columns["status"].astype(str)
    lost = np.flatnonzero(status != OK)
    bands = np.full(count, "", object)
    if len(lost):
        bands[lost] = [_uncovered(mask) for mask in columns["mask"][lost]]
    return pd.DataFrame({"objID": columns["objID"], **place, "status": status, "bands": bands})


def _uncovered(mask: np.ndarray) -> str:
    """Letters of the bands that do not cover the centre of one object's mask [64, 64]."""
    bits = int(mask[mask.shape[0] // 2, mask.shape[1] // 2])
    return "".join(band for number, band in enumerate(BANDS) if bits >> number & 1)
