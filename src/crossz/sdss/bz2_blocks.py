"""Some rows of a frame out of some bytes of its `.fits.bz2` file, bit for bit those of the complete file.

A bz2 stream is a row of blocks that decode by themselves (`bz2_stream`). The raw bytes are those of the decoded file.
A block of bzip2 -9 holds 899,981 raw bytes after its first run-length coding, or up to four more, to end a run. So
the blocks between the first and the last begin at raw offsets that are known but for a small drift D. A frame of 2048
x 1489 pixels has 14 blocks, of some 110 rows each.

Two places are known exactly, and are called anchors here. The first block begins with the file, so block 1 begins where
the first ends. The last block holds the header of HDU 1 (XTENSION), whose raw offset NAXIS1 and NAXIS2 of the primary
header tell. So the D of all blocks between them together is known. Pixels of a frame have zeros in their lowest 14 bits
(FLOATCOMPRESS). So only runs that lengthen a block exist, and no block drifts backwards: every start lies within
[nominal, nominal + D]. Of those offsets only one in four has pixels with zero bits.

An island is a run of neighbouring blocks that touches no anchor. Which blocks an island holds, its pixels tell: pixel
/ calibration + sky is a whole number (DN), when calibration (HDU 1, by column) and sky (HDU 2) are taken at the right
place. A block later they would be taken 1763 columns off. Where anything of this does not hold, or leaves a choice,
`read` raises Refused, and the caller decodes the complete file.
"""

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from crossz.core.errors import Refused
from crossz.core.foreign import refusing
from crossz.sdss.bz2_stream import END, STEP, File
from crossz.sdss.frames import FieldID, Frame, finite, header_of, wcs_of
from crossz.sdss.hdus import hdus

Rows = list[tuple[int, int]]
"""Ranges [first, last) of rows."""
RAW = 899_981
"""Bytes in a full block after run-length coding: 9 x 100,000 - 19 (libbzip2, compress.c and bzlib.c: nblockMAX)."""
_HEAD = 1 << 18  # bytes asked for first: the first block of a real frame has 207 to 280 kB
_MARGIN = 0.1  # of a block: how far around the expected place of a block's magic is asked for first
_FARTHEST = 0.45  # of a block: how far off a magic may lie; 0.18 in the worst of 22 real frames
_LOW_BITS = 0x3FFF
_DRIFT = 8  # bytes that all blocks together may drift; more is another compressor's work
_FAINT_DN = 64  # above, 10 significant bits do not tell a whole number


class Part(NamedTuple):
    """What was read: the frame with some of its rows, and the account of it for the manifest.

    Attributes
    ----------
    frame
        Its `known` tells which rows were decoded.
    ranges
        Bytes [start, stop) of the file that were read.
    blocks
        Numbers of the bz2 blocks that were decoded, from 0.
    """

    frame: Frame
    ranges: list[tuple[int, int]]
    blocks: list[int]


def read(
    get: Callable[[int, int], bytes], field: FieldID, band: str, rows_of: Callable[[Frame], Rows], way: str
) -> Part:
    """Read some rows of a frame.

    Parameters
    ----------
    get
        `get(start, stop)` gives these bytes of the file, fewer at its end. Its attribute `size` is the file's size in
        bytes, or None where it is not known; the way "blocks" has to know it.
    field, band
        Which frame it must be.
    rows_of
        Gives the rows [first, last) that are wanted, of a frame with WCS and shape, but without pixels.
    way
        "prefix" decodes from the first block to the last row wanted, and asks for bytes in order; "blocks" decodes only
        the blocks that hold the rows.

    Returns
    -------
    Part

    Raises
    ------
    Refused
        Something is wrong, or cannot be known this way. Checked are each block's CRC and place; RUN, CAMCOL, FILTER and
        FRAME, shape and WCS of the header; that the pixels of the rows are finite.
    """
    file = File(get)
    file.need(0, _HEAD if way == "blocks" else STEP)
    if file.known(0, 4) != b"BZh9":
        raise Refused("damaged bz2 (it does not begin as bzip2 -9 does)")
    first, end = file.block(32)
    header, begin = header_of(first, field, band)
    columns, height = header["NAXIS1"], header["NAXIS2"]
    wcs = wcs_of(header)
    image = np.zeros((height, columns), ">f4")
    known = np.zeros(height, bool)
    frame = Frame(image, wcs, known)
    spans = [(max(a, 0), min(b, height)) for a, b in rows_of(frame)]
    wanted = [(begin + 4 * columns * a, begin + 4 * columns * b) for a, b in spans if a < b]
    decoded = _Decoded(begin, begin + image.nbytes, {0: (0, first)})
    if way == "prefix" or not wanted or max(b for _, b in wanted) <= len(first) + 2 * RAW:
        _forward(file, decoded, end, max((b for _, b in wanted), default=0))
    else:
        _between(file, decoded, end, wanted, columns)
    for (a, b), (start, stop) in zip([s for s in spans if s[0] < s[1]], wanted, strict=True):
        image[a:b] = np.frombuffer(decoded.raw(start, stop), ">f4").reshape(-1, columns)
        known[a:b] = True
        if not finite(image[a:b]):
            raise Refused("pixels that are not finite")
    return Part(frame, file.ranges, sorted(decoded.blocks))


class _Decoded:
    """Decoded blocks by number, each with its raw offset; the pixels lie at the raw offsets [begin, end)."""

    def __init__(self, begin: int, end: int, blocks: dict[int, tuple[int, bytes]]):
        self.begin, self.end, self.blocks = begin, end, blocks

    def raw(self, start: int, stop: int) -> bytes:
        """The raw bytes [start, stop), from blocks that follow each other. Raises Refused where one is missing."""
        parts = []
        for place, raw in sorted(self.blocks.values()):
            if place < stop and start < place + len(raw):
                if place > start:
                    break
                parts.append(raw[start - place : stop - place])
                start = min(stop, place + len(raw))
        if start < stop:
            raise Refused(f"the file ends {stop - start} bytes before its pixels do")
        return b"".join(parts)


def _forward(file: File, decoded: _Decoded, end: int, stop: int) -> None:
    """Decode block after block from the first, until the raw bytes up to `stop` are there: their places are exact."""
    place, raw = decoded.blocks[0]
    for number in itertools.count(1):
        place += len(raw)
        if place >= stop:
            return
        raw, end = file.block(end)
        decoded.blocks[number] = (place, raw)


def _between(file: File, decoded: _Decoded, end: int, wanted: list[tuple[int, int]], columns: int) -> None:
    """Decode the last block, then those that hold the raw spans `wanted`, each placed as the module says."""
    first = decoded.blocks[0][1]
    begin_of_last, raw = _last(file, end // 8)
    at = raw.find(b"XTENSION= 'IMAGE")
    if at < 0 or raw.count(b"XTENSION= 'IMAGE") > 1:
        raise Refused("HDU 1 does not begin in the last bz2 block, so that blocks cannot be placed")
    place = decoded.begin + -(-(decoded.end - decoded.begin) // 2880) * 2880 - at
    inner, drift = divmod(place - len(first), RAW)
    if inner < 0 or drift >= _DRIFT:
        raise Refused("bz2 blocks of another size than those of bzip2 -9")
    last = inner + 1
    decoded.blocks[last] = (place, raw)
    _check_low_bits(first, 0, decoded)
    _check_low_bits(raw, place, decoded)
    camera = None
    size = (begin_of_last - end) / max(inner, 1)  # bits of a block in the mean
    numbers = {
        number
        for a, b in wanted
        for number in range(max((a - len(first) - drift) // RAW + 1, 0), min((b - 1 - len(first)) // RAW + 1, last) + 1)
    }
    runs = _runs(numbers - {0, last})
    while runs:
        run = runs.pop(0)
        i, j = run[0], run[-1]
        expected = [end + (number - 1) * size for number in (i, j + 1)]
        starts = _starts(file, expected, size, end if i == 1 else None, begin_of_last if j + 1 == last else None)
        if len(starts) != len(run) + 1:
            raise Refused(f"{len(starts) - 1} bz2 blocks where {len(run)} should be")
        raws = [file.decode(a, b, RAW + _DRIFT) for a, b in itertools.pairwise(starts)]
        if i == 1:
            start = len(first)
        elif j + 1 == last:
            start = place - sum(map(len, raws))
        else:
            camera = camera or _Camera(raw[at:], columns, (decoded.end - decoded.begin) // (4 * columns))
            placed = _placed(b"".join(raws), len(first) + (i - 1) * RAW, drift, decoded, camera)
            if placed is None:  # on to the nearer anchor, from which the places are exact
                runs.insert(0, [*range(1, j + 1)] if j < last - i else [*range(i, last)])
                continue
            start = placed
        for number, part in zip(run, raws, strict=True):
            _check_low_bits(part, start, decoded)
            decoded.blocks[number] = (start, part)
            start += len(part)
        if j + 1 == last and start != place:
            raise Refused("bz2 blocks that do not meet the last one")


def _last(file: File, size_of_first: int) -> tuple[int, bytes]:
    """(begin in bits, raw bytes) of the last block. Raises Refused when anything follows the stream's end."""
    size = file.size
    if size is None:
        raise Refused("a file of unknown size")
    step = int(1.08 * size_of_first)
    for start in range(size - step, max(size - 3 * step, 0), -STEP):
        file.need(max(start, 0), size)
        ends = [bit for bit in file.magics(size - 11, size, END) if -(-(bit + 80) // 8) == size]
        if not ends:
            raise Refused("damaged bz2 (the file does not end where its stream does)")
        begins = file.magics(max(start, 0), size)
        if begins:
            return begins[-1], file.decode(begins[-1], ends[-1], RAW + _DRIFT)
    raise Refused("damaged bz2 (no last block)")


def _starts(file: File, expected: list[float], size: float, begin: int | None, end: int | None) -> list[int]:
    """Bit offsets of the magics from one expected place to another; `begin`, `end`: where they are known to lie."""
    for margin in np.arange(_MARGIN, _FARTHEST + 0.01, 0.07):
        low = expected[0] - margin * size if begin is None else begin
        high = expected[1] + margin * size if end is None else end + 48
        span = int(low // 8), int(-(-high // 8))
        file.need(*span)
        bits = file.magics(*span)
        near = [
            [bit for bit in bits if abs(bit - place) <= margin * size] if known is None else [known]
            for place, known in zip(expected, (begin, end), strict=True)
        ]
        if near[0] and near[1]:
            a, b = near[0][0], near[1][-1]
            return sorted({a, b, *(bit for bit in bits if a <= bit <= b)})
    raise Refused("no bz2 block near where one should begin")


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers that follow each other, together."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _pixels(raw: bytes, start: int, decoded: _Decoded) -> tuple[np.ndarray, int]:
    """(whole pixels in `raw`, that begins at the raw offset `start`; number of the first of them)."""
    first = max(-(-(start - decoded.begin) // 4), 0)
    stop = (min(decoded.end, start + len(raw)) - decoded.begin) // 4
    return np.frombuffer(raw, ">u4", max(stop - first, 0), decoded.begin + 4 * first - start), first


def _check_low_bits(raw: bytes, start: int, decoded: _Decoded) -> None:
    if (_pixels(raw, start, decoded)[0] & _LOW_BITS).any():
        raise Refused("pixels of more than 10 significant bits, so that blocks cannot be placed")


def _placed(raw: bytes, nominal: int, drift: int, decoded: _Decoded, camera: "_Camera") -> int | None:
    """The raw offset at which an island of blocks begins, between `nominal` and `nominal + drift`.

    None where several are possible. Raises Refused where the pixels contradict all.
    """
    possible = [
        start
        for start in range(nominal, nominal + drift + 1)
        if not (_pixels(raw, start, decoded)[0] & _LOW_BITS).any()
    ]
    if not possible:
        raise Refused("no place for a bz2 block")
    start = possible[0]
    here = camera.residual(raw, start, decoded)
    others = [camera.residual(raw, start + 4 * round(k * RAW / 4), decoded) for k in (-2, -1, 1, 2)]
    if not here < 0.5 * min(others):
        raise Refused("pixels that do not tell which bz2 block they are of")
    return start if len(possible) == 1 else None


class _Camera:
    """Calibration and sky of a frame, from HDU 1 and 2, which give back the whole numbers that the camera read."""

    def __init__(self, tail: bytes, columns: int, rows: int):
        with refusing("no calibration and sky behind the pixels, so that blocks cannot be placed"):
            image, sky = (tail[hdu.begin : hdu.end] for hdu in hdus(tail, 2))
            self._calibration = np.asarray(fits.ImageHDU.fromstring(image).data, float)
            table = fits.BinTableHDU.fromstring(sky).data
            names = ("ALLSKY", "XINTERP", "YINTERP")
            if len(table) != 1 or any(table.dtype[name].base.kind != "f" for name in names):
                raise ValueError("another table")
            self._sky, self._x, self._y = (np.asarray(table[0][name], float) for name in names)
            shapes = self._calibration.shape, self._x.shape, self._y.shape
            if shapes != ((columns,), (columns,), (rows,)) or self._sky.ndim != 2 or min(self._sky.shape) < 2:
                raise ValueError("other shapes")
            if not all(np.isfinite(values).all() for values in (self._sky, self._x, self._y)):
                raise ValueError("not finite")

    def residual(self, raw: bytes, start: int, decoded: _Decoded) -> float:
        """Distance in DN (root mean square) of faint pixels from whole numbers, were `raw` to begin at `start`."""
        columns = len(self._calibration)
        pixels, first = _pixels(raw, start, decoded)
        number = first + np.arange(0, len(pixels), 37)
        dn = pixels[::37].view(">f4") / self._calibration[number % columns]
        faint = np.abs(dn) < _FAINT_DN
        if faint.sum() < 1000:
            return np.inf
        dn, row, column = dn[faint], number[faint] // columns, number[faint] % columns
        dn = dn + self._at(self._y[row], self._x[column])
        return float(np.sqrt(np.mean((dn - np.rint(dn)) ** 2)))

    def _at(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        # The sky between its grid's points, linearly; beyond the outermost, as they are.
        y, x = (np.clip(v, 0, n - 1) for v, n in zip((y, x), self._sky.shape, strict=True))
        i, j = (np.minimum(v.astype(int), n - 2) for v, n in zip((y, x), self._sky.shape, strict=True))
        v, u = y - i, x - j
        low = self._sky[i, j] * (1 - u) + self._sky[i, j + 1] * u
        return low * (1 - v) + (self._sky[i + 1, j] * (1 - u) + self._sky[i + 1, j + 1] * u) * v
