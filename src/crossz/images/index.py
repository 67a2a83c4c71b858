"""The Arrow store of images: one memory-mapped IPC file a shard, found by objID through one index.

Pixels are stored as float16 in units of 1/16 nmgy: native SDSS pixels carry 10 significant bits, and times 16 they
are float16-exact (docs/method.md). A pixel that float16 cannot hold is clipped to its largest value and counted.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, digests, write_json
from crossz.core.names import BANDS
from crossz.images.store import OK, read_arrays, write_arrays

log = logging.getLogger(__name__)


def write_index(
    shard_paths: Sequence[str | Path],
    plan_paths: Sequence[str | Path],
    index_path: str | Path,
    counts_path: str | Path,
    missing_path: str | Path,
) -> None:
    """Write where each objID's image lies: objID, shard (position in `shard_paths`), row, status; and status counts.

    `missing_path` gets the objects of `plan_paths` without a usable image: where they are, their status, and the bands
    that do not cover them. Raises CrosszError when an objID stands in two shards, or in a plan and in no shard.
    """
    parts = []
    for number, path in enumerate(shard_paths):
        columns = read_arrays(path)
        count = len(columns["objID"])
        place = {"shard": np.full(count, number, np.int32), "row": np.arange(count, dtype=np.int32)}
        status = columns["status"].astype(str)
        lost = np.flatnonzero(status != OK)
        bands = np.full(count, "", object)
        if len(lost):
            bands[lost] = [_uncovered(mask) for mask in columns["mask"][lost]]
        parts.append(pd.DataFrame({"objID": columns["objID"], **place, "status": status, "bands": bands}))
    index = pd.concat(parts).sort_values("objID", ignore_index=True)
    repeated = index["objID"][index["objID"].duplicated()]
    if len(repeated):
        raise CrosszError(f"{len(repeated)} objIDs stand in two shards, the first is {repeated.iloc[0]}; rerun `plan`")
    plan = pd.concat([pq.read_table(path).to_pandas() for path in plan_paths])
    forgotten = np.setdiff1d(plan["objID"], index["objID"])
    if len(forgotten):
        raise CrosszError(
            f"{len(forgotten)} planned objIDs stand in no shard, the first is {forgotten[0]}; rerun `stamps`"
        )
    missing = plan.merge(index.loc[index["status"] != OK, ["objID", "status", "bands"]], on="objID").sort_values(
        "objID"
    )
    status = {str(name): int(count) for name, count in index["status"].value_counts().sort_index().items()}
    log.info(f"{len(index):,} objects: " + ", ".join(f"{name} {count:,}" for name, count in status.items()))
    with atomic_path(missing_path) as temporary:
        missing.to_csv(temporary, index=False)
    with atomic_path(index_path) as temporary:
        index.drop(columns="bands").to_parquet(temporary, index=False)
    write_json(counts_path, {"objects": len(index), "status": status, "sha256": digests(index_path)})


def write_without_images(plan_path: str | Path, shard_path: str | Path, counts_path: str | Path) -> None:
    """Write the objects of a plan as a shard without pixels, each of them usable: by models of photometry alone."""
    objID = pq.read_table(plan_path, columns=["objID"])["objID"].to_numpy()
    write_arrays(shard_path, {"objID": objID, "status": [OK] * len(objID)})
    write_json(counts_path, {"objects": len(objID), "status": {OK: len(objID)}, "sha256": digests(shard_path)})


def _uncovered(mask: np.ndarray) -> str:
    """Letters of the bands that do not cover the centre of one object's mask [64, 64]."""
    bits = int(mask[mask.shape[0] // 2, mask.shape[1] // 2])
    return "".join(band for number, band in enumerate(BANDS) if bits >> number & 1)
