"""What fetching the planned frames takes, said before anything is fetched."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from crossz.core.constants import BANDS
from crossz.core.files import write_json
from crossz.sdss.frames import FieldID

log = logging.getLogger(__name__)

FRAME_MB = 3.4
"""Mean size of a DR17 frame as bz2 (2.87 to 3.95 MB in 22 frames of four fields)."""
DECODE_S = 0.43
"""Seconds of one core to decode a frame."""
SPECTRUM_MB = 0.26
"""Mean size of a lite spectrum (0.22 to 0.32 MB)."""
STAMP_MB = 5 * 80 * 80 * 2 / 1e6
CUTOUT_MB = 5 * 64 * 64 * 2 / 1e6


def forecast(shards: Sequence[pd.DataFrame], rate_MB_s: float, spectra: int) -> dict[str, float]:
    """Objects, fields, files, bytes, disk and hours to fetch and cut all fields of `shards`.

    Two effects are left out: neighbour fields that fill an edge (up to a tenth more), and frames that lie on disk already.

    Parameters
    ----------
    shards
        The plan of each shard.
    rate_MB_s
        Rate of the network, MB/s.
    spectra
        How many spectra are fetched beside the frames.
    """
    objects = sum(map(len, shards))
    fields = [len(shard[list(FieldID._fields)].drop_duplicates()) for shard in shards]
    files = sum(fields) * len(BANDS)
    spectra_MB = spectra * SPECTRUM_MB
    return {
        "objects": objects,
        "shards": len(shards),
        "fields": sum(fields),
        "files": files,
        "fetched_GB": round(files * FRAME_MB / 1e3, 3),
        "spectra": spectra,
        "spectra_GB": round(spectra_MB / 1e3, 3),
        "largest_shard_GB": round(max(fields, default=0) * len(BANDS) * FRAME_MB / 1e3, 3),
        "results_GB": round(objects * (STAMP_MB + CUTOUT_MB) / 1e3, 3),
        "rate_MB_s": rate_MB_s,
        "fetch_hours": round((files * FRAME_MB + spectra_MB) / rate_MB_s / 3600, 2),
        "decode_core_hours": round(files * DECODE_S / 3600, 2),
    }


def write_forecast(
    *, plans: Sequence[str | Path], catalogs: Sequence[str | Path], costs: str | Path, rate_MB_s: float
) -> None:
    """Log the forecast for the shards whose plans are at `plans`, and write it to `costs`.

    A spectrum of each object in the catalogs at `catalogs` is fetched, too (mml.datasets).
    """
    shards = [pq.read_table(path).to_pandas() for path in plans]
    known: set = set().union(
        *(pq.read_table(path, columns=["specObjID"])["specObjID"].to_pylist() for path in catalogs)
    )
    spectra = sum(int(shard["specObjID"].isin(known).sum()) for shard in shards)
    values = forecast(shards, rate_MB_s, spectra)
    log.info(
        f"{values['objects']:,} objects on {values['fields']:,} fields: {values['files']:,} frames, {values['fetched_GB']:,} GB"
        + (f"; {spectra:,} spectra, {values['spectra_GB']:,} GB" if spectra else "")
        + "\n"
        f"at {rate_MB_s:g} MB/s (archive.rate_MB_s): {values['fetch_hours']:,} hours; decoding: {values['decode_core_hours']:,} core-hours\n"
        f"disk at once: {values['largest_shard_GB']:,} GB a running shard, and {values['results_GB']:,} GB of stamps and cutouts at the end"
    )
    write_json(costs, values)
