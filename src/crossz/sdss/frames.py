"""A corrected SDSS frame on disk: where it lies, reading and checking it."""

import bz2
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import read_file, refusing
from crossz.sdss.hdus import BLOCK, LONGEST_HEADER, header_end, header_in

COLUMNS, ROWS = 2048, 1489
"""Pixels of a real frame, the most that any may have."""
PIXEL_ARCSEC = 0.396
"""Edge of a pixel."""
MOST = 16 << 20
"""Bytes of a `.fits.bz2` file: more than a frame has before it is compressed."""
_TAIL = 2 << 20  # bytes behind the pixels: calibration, sky and astrometry of real frames have 240,000
FRAME_MINUS_FIELD = {"r": 0, "i": 2, "u": 4, "z": 6, "g": 8}
"""Header FRAME minus field number: the camera's rows of chips see a field one after the other."""


class FieldID(NamedTuple):
    """Which field of the imaging survey: rerun, run, camera column, field number."""

    rerun: int
    run: int
    camcol: int
    field: int


class Frame(NamedTuple):
    """One band of one field.

    Attributes
    ----------
    data : array [rows, columns]
        Pixels in nmgy, big-endian float32.
    wcs
        Celestial WCS of the pixels.
    known : array [rows] of bool, or None
        Which rows were decoded; None means all. The others are 0 and mean nothing.
    """

    data: np.ndarray
    wcs: WCS
    known: np.ndarray | None = None

    def lacks(self, first: int, last: int) -> bool:
        """Whether one of the rows [first, last) that the frame has was not decoded."""
        return self.known is not None and not self.known[max(first, 0) : max(last, 0)].all()


def frame_path(root: str | Path, field: FieldID, band: str) -> Path:
    """Path of a frame below `root`, laid out as the Science Archive Server of DR17."""
    rerun, run, camcol, number = field
    name = f"frame-{band}-{run:06d}-{camcol}-{number:04d}.fits.bz2"
    return Path(root, "dr17/eboss/photoObj/frames", str(rerun), str(run), str(camcol), name)


def read_frame(path: str | Path, field: FieldID, band: str) -> Frame:
    """Read a frame, and check that it is the frame of `field` and `band`, as `decode` does.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    CrosszError
        The file is damaged, or another frame's; the message names it.
    """
    try:
        return decode(read_file(path, MOST), field, band)
    except Refused as error:
        raise CrosszError(f"{path}: {error}; delete it and fetch it again") from error


def decode(compressed: bytes, field: FieldID, band: str) -> Frame:
    """The frame in the bytes of a `.fits.bz2` file, checked as far as it can be.

    The header comes first, and no more is decompressed than it and the largest frame allow. Decoding through `bz2` and
    `frombuffer` costs half of what `fits.open` does.

    Parameters
    ----------
    compressed
        All bytes of the file.
    field, band
        Which frame it must be.

    Raises
    ------
    Refused
        Checked are: that it is one bz2 stream with nothing behind it, whose own CRC checks the bytes; the header, as
        `header_of` and `wcs_of` do; that all pixels are there and finite, and that the file goes on behind them with
        another HDU or ends.
    """
    stream = bz2.BZ2Decompressor()
    begin = _more(stream, compressed, BLOCK)
    while header_end(begin) is None and len(begin) < LONGEST_HEADER and (block := _more(stream, b"", BLOCK)):
        begin += block
    try:
        header = header_of(begin, field, band)[0]
        wcs = wcs_of(header)
    except Refused:  # a damaged block gives wrong bytes, and says so at its end
        if len(_more(stream, b"", _TAIL)) < _TAIL and not stream.eof:
            raise Refused("damaged bz2 (it ends too early)") from None
        raise
    columns, rows = header["NAXIS1"], header["NAXIS2"]
    size = 4 * rows * columns
    raw = _more(stream, b"", size + _TAIL)
    if len(raw) == size + _TAIL:
        raise Refused(f"more than {_TAIL:,} bytes behind its {rows} x {columns} pixels")
    if not stream.eof:
        raise Refused("damaged bz2 (it ends too early)")
    if stream.unused_data:
        raise Refused(f"damaged bz2 ({len(stream.unused_data)} bytes behind its end)")
    if len(raw) < size:
        raise Refused(f"{len(begin) + len(raw)} bytes, too few for {rows} x {columns} pixels")
    padded = -(-size // BLOCK) * BLOCK
    if raw[padded : padded + 8] not in (b"", b"XTENSION"):
        raise Refused(f"its {rows} x {columns} pixels do not end where the header says")
    data = np.frombuffer(raw, ">f4", rows * columns).reshape(rows, columns)
    if not finite(data):
        raise Refused("pixels that are not finite")
    return Frame(data, wcs)


def finite(data: np.ndarray) -> bool:
    """Whether all pixels are finite, by their sum."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(data.sum()))


def _more(stream: bz2.BZ2Decompressor, compressed: bytes, most: int) -> bytes:
    """The next bytes of a stream, `most` of them unless it ends."""
    if stream.eof:
        return b""
    try:
        return stream.decompress(compressed, most)
    except (OSError, ValueError) as error:
        raise Refused(f"damaged bz2 ({error})") from error


def header_of(raw: bytes, field: FieldID, band: str) -> tuple[fits.Header, int]:
    """The primary header in the first bytes of a frame, and the offset at which its pixels begin.

    Raises
    ------
    Refused
        It is another frame's header, or none; its pixels are no image of float32 as they stand, or more than 1489 rows of
        2048 columns, which real frames have and those of the embedded sky do not exceed.
    """
    end = header_end(raw)
    if end is None:
        raise Refused("no FITS header in it")
    expected: dict[str, object] = {
        "RUN": field.run,
        "CAMCOL": field.camcol,
        "FILTER": band,
        "FRAME": field.field + FRAME_MINUS_FIELD[band],
    }
    expected |= {"BITPIX": -32, "NAXIS": 2}
    with refusing("a header that cannot be read"):
        header = header_in(raw[:end])
        actual = {name: header.get(name) for name in expected}
        columns, rows = header.get("NAXIS1"), header.get("NAXIS2")
        scaling = header.get("BSCALE", 1), header.get("BZERO", 0)
    if actual != expected or any(type(value) is bool for value in actual.values()):
        raise Refused(f"header says {actual}, expected {expected}")
    if not (_whole(columns, COLUMNS) and _whole(rows, ROWS)):
        raise Refused(f"NAXIS1 x NAXIS2 of {columns!r} x {rows!r}; a frame has at most {COLUMNS} x {ROWS} pixels")
    if scaling != (1, 0):
        raise Refused(f"BSCALE and BZERO of {scaling}; the pixels of a frame are not scaled")
    return header, end


def _whole(value: object, most: int) -> bool:
    return type(value) is int and 1 <= value <= most


def wcs_of(header: fits.Header) -> WCS:
    """The celestial WCS of a frame, from those cards of its header that a tangential projection has.

    Raises
    ------
    Refused
        The projection is another one; a number is none, or not finite; the reference pixel is not the middle of the
        frame, or its position off the sphere; the pixels are not squares of 0.396 arcsec within 5 %; the sky is mirrored.
    """
    with refusing("no WCS in its header"):
        types = [header.get(f"CTYPE{axis}") for axis in (1, 2)]
        units = [header.get(f"CUNIT{axis}", "deg") for axis in (1, 2)]
        names = [f"{name}{axis}" for name in ("CRPIX", "CRVAL") for axis in (1, 2)]
        values = {name: header.get(name) for name in [*names, "CD1_1", "CD1_2", "CD2_1", "CD2_2"]}
        shape = header["NAXIS1"], header["NAXIS2"]
    if types != ["RA---TAN", "DEC--TAN"] or units != ["deg", "deg"]:
        raise Refused(f"CTYPE {types} in {units}; a frame has RA---TAN and DEC--TAN in degrees")
    if not all(type(value) in (int, float) and abs(value) < 1e9 for value in values.values()):
        raise Refused(f"a WCS that is not finite numbers: {values}")
    crpix, crval, cd = np.split(np.array(list(values.values()), float), [2, 4])
    if not (abs(crpix - (np.array(shape) + 1) / 2) <= 1).all():
        raise Refused(f"CRPIX {tuple(map(float, crpix))} is not the middle of its {shape[0]} x {shape[1]} pixels")
    if not (abs(crval[0]) <= 360 and abs(crval[1]) <= 90):
        raise Refused(f"CRVAL {tuple(map(float, crval))} is no position")
    edges = 3600 * np.linalg.svd(cd.reshape(2, 2), compute_uv=False)
    if not np.allclose(edges, PIXEL_ARCSEC, rtol=0.05):
        raise Refused(f"pixels of {edges[0]:.4g} x {edges[1]:.4g} arcsec; a frame has {PIXEL_ARCSEC}")
    if np.linalg.det(cd.reshape(2, 2)) > 0:  # the camera scans along rows, with the columns on one and the same side
        raise Refused("a WCS that shows the sky mirrored; its pixels may be transposed")
    with refusing("no WCS in its header"):
        wcs = WCS(naxis=2)
        wcs.wcs.ctype, wcs.wcs.crpix, wcs.wcs.crval, wcs.wcs.cd = types, crpix, crval, cd.reshape(2, 2)
        wcs.wcs.set()
    return wcs
