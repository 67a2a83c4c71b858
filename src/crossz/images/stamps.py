"""Native stamps: the 80x80 pixels of each band around an object, as they stand in the frames, without resampling.

A stamp is what 5 TB of frames were fetched for: cutouts of any alignment are derived from it (cutouts.py).
"""

import functools
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.files import digests, write_json
from crossz.core.names import BANDS
from crossz.images.store import OK, to_units, write_arrays
from crossz.sdss.frames import FieldID, Frame

log = logging.getLogger(__name__)

SIZE = 80
"""Edge of a stamp in pixels; 8 more on each side than a cutout, for the kernels of sub-pixel alignment."""
CENTRE = SIZE // 2
_MARGIN = 8
_OVERLAP = 128  # rows that adjacent fields share

MISSING_FRAME = "missing_frame"
OUTSIDE = "outside_frame"
EDGE = "edge"


class Stamp(NamedTuple):
    """Native pixels of one object.

    image [5, 80, 80] float32 nmgy, 0 where no frame covers; offset [5, 2] float32, how far (x, y) in pixels the object
    lies from the centre of pixel [40, 40] of each band, within +-0.5; mask [80, 80] uint8, bit b set where no frame
    covers band b; status "ok" or why the image cannot be used; neighbour: whether a band came from the next field.
    """

    image: np.ndarray
    offset: np.ndarray
    mask: np.ndarray
    status: str
    neighbour: bool


def cut(data: np.ndarray, x: float, y: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The stamp of one band: pixels [80, 80], offset (x, y) [2], covered [80, 80] bool.

    x, y: 0-based position of the object in pixels of `data`, integer at pixel centres.
    """
    column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
    top, left = row - CENTRE, column - CENTRE
    pixels = np.zeros((SIZE, SIZE), np.float32)
    covered = np.zeros((SIZE, SIZE), bool)
    rows = slice(max(top, 0), min(max(top + SIZE, 0), data.shape[0]))
    columns = slice(max(left, 0), min(max(left + SIZE, 0), data.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        inside = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        pixels[inside] = data[rows, columns]
        covered[inside] = True
    return pixels, np.array([x - column, y - row], np.float32), covered


def rows_of(frame: Frame, own: np.ndarray, before: np.ndarray, after: np.ndarray) -> list[tuple[int, int]]:
    """The rows [first, last) of a frame that stamps will be cut from.

    own, before, after: ra, dec [n, 2] in degrees of the objects of its field and of the adjacent ones, which need this frame only where a row edge
    of their own cuts the stamp; adjacent fields differ by a few pixels from the 128 rows they share, hence the slack of 8.
    """
    height = frame.data.shape[0]
    rows = []
    for sky, first, last in (
        (own, -np.inf, np.inf),
        (before, _OVERLAP - CENTRE - _MARGIN, np.inf),
        (after, -np.inf, height - _OVERLAP + CENTRE + _MARGIN),
    ):
        if len(sky):
            y = frame.wcs.wcs_world2pix(sky, 0)[:, 1]
            top = np.floor(y[(y >= first) & (y <= last)] + 0.5).astype(int) - CENTRE
            rows += [(int(a), int(a) + SIZE) for a in top if a < height and a + SIZE > 0]
    return rows


def stamp(candidates: list[list[Callable[..., Frame | None]]], ra: float, dec: float, edges: str) -> Stamp:
    """The stamp of the object at (ra, dec) in degrees.

    `candidates`: per band, functions that give the frames the object may lie on: of its own field, of the one before it and of the one
    after it. A neighbour is asked for only on the side where a row edge cuts the stamp, or where there is no own frame. A frame that lacks rows of
    the stamp is asked for again as `get(whole=True)`. Adjacent fields share 128 rows, more
    than a stamp: where a row edge cuts it, the neighbour alone has all of it, from the same detector pixels.
    `edges`: "neighbour"; "mask" (the own field only); "drop" (as "mask", and an incomplete 64x64 loses the object).
    """
    image = np.zeros((len(BANDS), SIZE, SIZE), np.float32)
    offset = np.zeros((len(BANDS), 2), np.float32)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    status, neighbour = OK, False
    for band, frames in enumerate(candidates):
        best, own_missing, cut_by = None, False, ()
        for number, get in enumerate(frames if edges == "neighbour" else frames[:1]):
            if number and not own_missing and not cut_by[number]:
                continue
            frame = get()
            if frame is not None and frame.lacks(*_rows(frame, ra, dec)):
                frame = get(whole=True)
            if frame is None:
                own_missing |= number == 0
                continue
            x, y = frame.wcs.wcs_world2pix(ra, dec, 0)
            if number == 0:
                first, last = _rows(frame, ra, dec)
                cut_by = (False, first < 0, last > frame.data.shape[0])
            found = (*cut(frame.data, float(x), float(y)), number)
            if best is None or found[2].sum() > best[2].sum():
                best = found
            if best[2].all():
                break
        covered = np.zeros((SIZE, SIZE), bool)
        if best is not None:
            image[band], offset[band], covered, number = best
            neighbour |= number > 0 and bool(covered.any())
        if status == OK and not covered[CENTRE, CENTRE]:
            status = MISSING_FRAME if own_missing else OUTSIDE
        mask |= (~covered).astype(np.uint8) << band
    if status == OK and edges == "drop" and mask[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].any():
        status = EDGE
    return Stamp(image, offset, mask, status, neighbour)


def _rows(frame: Frame, ra: float, dec: float) -> tuple[int, int]:
    """The rows [first, last) of a frame that the stamp at (ra, dec) spans, whether the frame has them or not."""
    _, y = frame.wcs.wcs_world2pix(ra, dec, 0)
    top = int(np.floor(y + 0.5)) - CENTRE
    return top, top + SIZE


def stamps_of_plan(
    plan: pd.DataFrame, frames: Callable[..., Frame | None], edges: str
) -> Iterable[tuple[pd.DataFrame, list[Stamp]]]:
    """Yield (rows of one field, their stamps), field by field, each frame asked for once, or twice where its rows do not do.

    `plan`: objID, rerun, run, camcol, field, ra, dec, sorted by field. `frames`: the frame of a field and a band, or None
    where the archive has none (archive.sas.Frames).
    """
    cache: dict[tuple[FieldID, str], Frame | None] = {}

    def frame(field: FieldID, band: str, whole: bool = False) -> Frame | None:
        if (field, band) not in cache or whole:
            cache[field, band] = frames(field, band, whole=True) if whole else frames(field, band)
        return cache[field, band]

    for key, rows in plan.groupby(list(FieldID._fields), sort=False):
        own = FieldID(*map(int, key))
        near = [own, own._replace(field=own.field - 1), own._replace(field=own.field + 1)]
        for known in [known for known in cache if known[0] not in near]:
            del cache[known]
        candidates = [[functools.partial(frame, field, band) for field in near] for band in BANDS]
        yield (
            rows,
            [stamp(candidates, ra, dec, edges) for ra, dec in zip(rows["ra"], rows["dec"], strict=True)],
        )


def write_stamps(
    *,
    plan: str | Path,
    stamps: str | Path,
    counts: str | Path,
    edges: str,
    frames: Callable[..., Frame | None],
) -> None:
    """Cut the objects of one shard from `frames`; write them, and the account of every object.

    Parameters
    ----------
    plan, stamps, counts
        Paths of the shard's plan (read), of its stamps and of the account (written).
    edges
        What becomes of an object at the edge of its frame (stamps.edges).
    frames
        Gives the frame of a field and a band, None where the archive has none (archive.sas.Frames).
    """
    objects = pq.read_table(plan).to_pandas()
    fields = len(objects.drop_duplicates(list(FieldID._fields)))
    image = np.zeros((len(objects), len(BANDS), SIZE, SIZE), np.float16)
    offset = np.zeros((len(objects), len(BANDS), 2), np.float32)
    mask = np.zeros((len(objects), SIZE, SIZE), np.uint8)
    status = []
    neighbours = clipped = 0
    for number, (rows, cuts) in enumerate(stamps_of_plan(objects, frames, edges), 1):
        for index, one in zip(rows.index, cuts, strict=True):
            image[index], lost = to_units(one.image)
            offset[index], mask[index] = one.offset, one.mask
            clipped += lost
            neighbours += one.neighbour
        status += [one.status for one in cuts]
        if number == fields or number % 10 == 0:
            log.info(f"{plan}: field {number} of {fields}, {len(status):,} of {len(objects):,} objects")
    write_arrays(
        stamps,
        {"objID": objects["objID"].to_numpy(), "status": status, "image": image, "offset": offset, "mask": mask},
    )
    kinds = {kind: status.count(kind) for kind in sorted({OK, *status})}
    masked = int((mask != 0).any((1, 2)).sum())
    extra = {"masked": masked, "from_neighbour": neighbours, "clipped_pixels": clipped}
    write_json(
        counts,
        {"objects": len(objects), "fields": fields, "status": kinds} | extra | {"sha256": digests(stamps)},
    )
