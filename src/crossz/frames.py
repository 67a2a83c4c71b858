"""A corrected SDSS frame on disk: where it lies, reading and checking it."""

import bz2
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from crossz.errors import CrosszError

_BLOCK = 2880  # bytes, FITS standard


class FieldID(NamedTuple):
    """Which field of the imaging survey: rerun, run, camera column, field number."""

    rerun: int
    run: int
    camcol: int
    field: int


class Frame(NamedTuple):
    """One band of one field: pixels (rows, columns) in nmgy, big-endian float32, and their celestial WCS."""

    data: np.ndarray
    wcs: WCS


def frame_path(root: str | Path, field: FieldID, band: str) -> Path:
    """Path of a frame below `root`, as in the Science Archive Server of DR17."""
    rerun, run, camcol, number = field
    name = f"frame-{band}-{run:06d}-{camcol}-{number:04d}.fits.bz2"
    return Path(root, "dr17/eboss/photoObj/frames", str(rerun), str(run), str(camcol), name)


def read_frame(path: str | Path, field: FieldID, band: str) -> Frame:
    """Read a frame and check that it is the one its name says.

    The bz2 stream's own CRC checks the bytes. The header's RUN, CAMCOL and FILTER must agree with `field` and `band`
    (FRAME must not be looked at: it is the field number in r only, shifted by 2 to 8 in the other bands). Decoding
    through `bz2` and `frombuffer` costs half of what `fits.open` does. Raises FileNotFoundError, or CrosszError that
    names the file and says what is wrong with it.
    """
    remedy = "delete it and fetch it again"
    compressed = Path(path).read_bytes()
    try:
        raw = bz2.decompress(compressed)
    except (OSError, ValueError) as error:
        raise CrosszError(f"{path}: damaged bz2 ({error}); {remedy}") from error
    end = _header_end(raw)
    if end is None:
        raise CrosszError(f"{path}: no FITS header in it; {remedy}")
    header = fits.Header.fromstring(raw[:end].decode("ascii", "replace"))
    expected = {"RUN": field.run, "CAMCOL": field.camcol, "FILTER": band, "BITPIX": -32, "NAXIS": 2}
    found = {name: header.get(name) for name in expected}
    if found != expected:
        raise CrosszError(f"{path}: header says {found}, expected {expected}; {remedy}")
    columns, rows = header["NAXIS1"], header["NAXIS2"]
    if len(raw) < end + 4 * rows * columns:
        raise CrosszError(f"{path}: {len(raw)} bytes, too few for {rows} x {columns} pixels; {remedy}")
    data = np.frombuffer(raw, ">f4", rows * columns, end).reshape(rows, columns)
    if not np.isfinite(data.sum()):
        raise CrosszError(f"{path}: pixels that are not finite; {remedy}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)  # RADECSYS is the old name of RADESYS
        return Frame(data, WCS(header))


def _header_end(raw: bytes) -> int | None:
    for end in range(_BLOCK, min(len(raw), 50 * _BLOCK) + 1, _BLOCK):
        block = raw[end - _BLOCK : end]
        if any(block[card : card + 8] == b"END     " for card in range(0, _BLOCK, 80)):
            return end
    return None
