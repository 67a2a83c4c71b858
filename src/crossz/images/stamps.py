"""Native stamps: the 80 x 80 pixels of each band around an object, as they stand in the frames, without resampling.

A stamp is what 5 TB of frames are fetched for. Cutouts of any alignment are derived from it (`images.cutouts`).
"""

import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.constants import BANDS, CUTOUT_SIZE, OK
from crossz.core.files import digests, write_json
from crossz.images.arrow import to_units, write_arrays
from crossz.sdss.frames import FieldID, Frame

log = logging.getLogger(__name__)

SIZE = 80
"""Edge of a stamp in pixels; 8 more on each side than a cutout, for the kernels of sub-pixel alignment."""
CENTRE = SIZE // 2
_NOWHERE = -1e6  # pixel of a position that the projection does not show, since it lies on the other half of the sky
_MARGIN = (SIZE - CUTOUT_SIZE) // 2

MISSING_FRAME = "missing_frame"
"""Status of an object of which the archive lacks a band."""
OUTSIDE = "outside_frame"
"""Status of an object that no frame of its field shows."""
EDGE = "edge"
"""Status of an object whose cutout an edge cuts, where edges lose the object."""


class Frames(Protocol):
    """What gives frames: a shard's fetcher (`archive.sas.Frames`), a folder, a list."""

    def __call__(self, field: FieldID, band: str, all_rows: bool = False) -> Frame | None:
        """The frame of a field and a band; None where the archive has none.

        It may lack rows that no stamp of the plan needs; with `all_rows` it has all.
        """


class FrameOf(Protocol):
    """What gives one frame, as `Frames` does."""

    def __call__(self, *, all_rows: bool = ...) -> Frame | None:
        """The frame; None where the archive has none."""


_Cut = tuple[np.ndarray, np.ndarray, np.ndarray, int]  # what `cut` gives, and the frame's number among the candidates


class Stamp(NamedTuple):
    """Native pixels of one object.

    Attributes
    ----------
    image : array [5, 80, 80] of float32
        nmgy; 0 where no frame covers.
    offset : array [5, 2] of float32
        How far (x, y) in pixels the object lies from the centre of pixel [40, 40] of each band, within +-0.5.
    mask : array [80, 80] of uint8
        Bit b is set where no frame covers band b.
    status
        OK, or why the image cannot be used.
    neighbour
        Whether a band came from an adjacent field.
    """

    image: np.ndarray
    offset: np.ndarray
    mask: np.ndarray
    status: str
    neighbour: bool


def cut(data: np.ndarray, x: float, y: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut the stamp of one band.

    Parameters
    ----------
    data : array [rows, columns]
        Pixels of a frame.
    x, y
        Position of the object in pixels of `data`, 0-based, integer at pixel centres.

    Returns
    -------
    pixels : array [80, 80] of float32
    offset : array [2] of float32
        Of (x, y) from the centre of pixel [40, 40].
    covered : array [80, 80] of bool
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


def stamp(candidates: Sequence[Sequence[FrameOf]], ra: float, dec: float, edges: str) -> Stamp:
    """Cut the stamp of one object.

    Adjacent fields share 128 rows, more than a stamp: where a row edge cuts it, the neighbour alone has all of it,
    from the same detector pixels. A neighbour is asked for only on the side where a row edge cuts the stamp, or where
    there is no own frame. A frame that lacks rows of the stamp is asked for again, with `all_rows=True`.

    Parameters
    ----------
    candidates
        By band, what gives the frames that the object may lie on: that of its own field, of the field before it and of
        the field after it.
    ra, dec
        Degrees.
    edges
        "neighbour"; "mask" (the own field only); "drop" (as "mask", and an incomplete 64 x 64 loses the object).
    """
    image = np.zeros((len(BANDS), SIZE, SIZE), np.float32)
    offset = np.zeros((len(BANDS), 2), np.float32)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    status, neighbour = OK, False
    for band, frames in enumerate(candidates):
        best, own_missing = _best(frames if edges == "neighbour" else frames[:1], ra, dec)
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


def _best(frames: Sequence[FrameOf], ra: float, dec: float) -> tuple[_Cut | None, bool]:
    """The cut of one band that covers most, and whether the own frame (the first) is missing."""
    best: _Cut | None = None
    own_missing = False
    cut_by: tuple[bool, ...] = ()
    for number, get in enumerate(frames):
        if number and not own_missing and not cut_by[number]:
            continue
        frame = get()
        if frame is None:
            own_missing |= number == 0
            continue
        x, y = (float(np.nan_to_num(at, nan=_NOWHERE)) for at in frame.wcs.wcs_world2pix(ra, dec, 0))
        first = int(np.floor(y + 0.5)) - CENTRE
        if frame.lacks(first, first + SIZE):
            frame = get(all_rows=True)
        if frame is None:
            own_missing |= number == 0
            continue
        if number == 0:
            cut_by = (False, first < 0, first + SIZE > frame.data.shape[0])
        candidate = (*cut(frame.data, x, y), number)
        if best is None or candidate[2].sum() > best[2].sum():
            best = candidate
        if best[2].all():
            break
    return best, own_missing


def stamps_of_plan(plan: pd.DataFrame, frames: Frames, edges: str) -> Iterator[tuple[pd.DataFrame, list[Stamp]]]:
    """Cut the stamps of a plan, field by field. Each frame is asked for once, or twice where its rows do not suffice.

    Parameters
    ----------
    plan
        objID, rerun, run, camcol, field, ra, dec, sorted by field.
    frames
        What gives the frames.
    edges
        See `stamp`.

    Yields
    ------
    rows : DataFrame
        The rows of one field.
    stamps : list of Stamp
        Theirs.
    """
    cache: dict[tuple[FieldID, str], Frame | None] = {}

    def frame(field: FieldID, band: str, *, all_rows: bool = False) -> Frame | None:
        if (field, band) not in cache or all_rows:
            cache[field, band] = frames(field, band, all_rows=True) if all_rows else frames(field, band)
        return cache[field, band]

    names = list(FieldID._fields)
    for _, rows in plan.groupby(names, sort=False):
        own = FieldID(*(int(rows[name].iloc[0]) for name in names))
        near = [own, own._replace(field=own.field - 1), own._replace(field=own.field + 1)]
        for known in [known for known in cache if known[0] not in near]:
            del cache[known]
        candidates = [[functools.partial(frame, field, band) for field in near] for band in BANDS]
        yield rows, [stamp(candidates, ra, dec, edges) for ra, dec in zip(rows["ra"], rows["dec"], strict=True)]


def write_stamps(
    *,
    plan: str | Path,
    stamps: str | Path,
    counts: str | Path,
    edges: str,
    frames: Frames,
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
        for index, native in zip(rows.index, cuts, strict=True):
            image[index], lost = to_units(native.image)
            offset[index], mask[index] = native.offset, native.mask
            clipped += lost
            neighbours += native.neighbour
        status += [native.status for native in cuts]
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
