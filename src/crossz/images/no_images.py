"""Cutout files without pixels, for models of photometry alone."""

from pathlib import Path

import pyarrow.parquet as pq

from crossz.core.constants import OK
from crossz.core.files import digests, write_json
from crossz.images.arrow import write_arrays


def write_without_images(*, plan: str | Path, cutouts: str | Path, counts: str | Path) -> None:
    """Write the objects of a shard without pixels, each of them usable.

    Parameters
    ----------
    plan
        The shard's plan.
    cutouts, counts
        What is written: the cutout file, and the account of the objects.
    """
    objID = pq.read_table(plan, columns=["objID"])["objID"].to_numpy()
    write_arrays(cutouts, {"objID": objID, "status": [OK] * len(objID)})
    write_json(counts, {"objects": len(objID), "status": {OK: len(objID)}, "sha256": digests(cutouts)})
