"""The HDUs of a FITS file in memory, found by their own words about size, which are bounded before anything follows them.

astropy loops as often as NAXIS or TFIELDS say, a thousand million times if need be. So it only gets headers that passed
here.
"""

from typing import NamedTuple

from astropy.io import fits

from crossz.core.errors import Refused
from crossz.core.foreign import refusing

BLOCK = 2880
"""Bytes of a block, which headers and data fill up (FITS standard)."""
LONGEST_HEADER = 50 * BLOCK
"""Bytes of the longest header that is read; real ones have up to 4 blocks."""
_MOST = 200  # HDUs of a file; real spectra have 4, and one more for each exposure and arm
_TEXT = bytes(byte if 32 <= byte < 127 else ord("?") for byte in range(256))
_BEGINNINGS = (b"SIMPLE  =", b"XTENSION=")  # of a header; other bytes are data, which the header before leaves out
_FIELDS = 1000  # columns of a table; SPALL has 236


class Hdu(NamedTuple):
    """Where a header and its data lie.

    Attributes
    ----------
    header
        Its NAXIS, NAXISn, BITPIX, PCOUNT, GCOUNT and TFIELDS are whole numbers within bounds.
    begin, data, end
        Offsets of the header, of the data, and of what follows their last block.
    """

    header: fits.Header
    begin: int
    data: int
    end: int


def header_end(raw: bytes, begin: int = 0) -> int | None:
    """The offset behind the header that begins at `begin`; None where it does not end."""
    for end in range(begin + BLOCK, min(len(raw), begin + LONGEST_HEADER) + 1, BLOCK):
        block = raw[end - BLOCK : end]
        if any(block[card : card + 8] == b"END     " for card in range(0, BLOCK, 80)):
            return end
    return None


def header_in(raw: bytes) -> fits.Header:
    """The header in some bytes. What is no text (FITS standard) is a question mark: warnings of astropy show it."""
    return fits.Header.fromstring(raw.translate(_TEXT).decode("ascii"))


def hdus(raw: bytes, count: int | None = None) -> list[Hdu]:
    """The first `count` HDUs of a file, or all.

    Raises
    ------
    Refused
        A header is none, or announces bytes that are not there; a file has more than 200 HDUs.
    """
    found: list[Hdu] = []
    at = 0
    while at < len(raw) and len(found) < (count or _MOST):
        data = header_end(raw, at)
        if data is None or not raw.startswith(_BEGINNINGS, at):
            raise Refused(f"no FITS header at byte {at}")
        with refusing("a FITS header that cannot be read"):
            header = header_in(raw[at:data])
            size = _size(header)
        if data + size > len(raw):
            raise Refused(f"{len(raw)} bytes, its headers say {data + size}")
        found.append(Hdu(header, at, data, min(data + -(-size // BLOCK) * BLOCK, len(raw))))
        at = found[-1].end
    if count is None and at < len(raw):
        raise Refused(f"more than {_MOST} HDUs")
    return found


def _size(header: fits.Header) -> int:
    """Bytes of an HDU's data, without those that fill up its last block."""
    shape = [_number(header, f"NAXIS{axis + 1}", 1 << 30) for axis in range(_number(header, "NAXIS", 4))]
    if "TFIELDS" in header:
        _number(header, "TFIELDS", _FIELDS)
    elements = 1 if shape else 0
    for length in shape:
        elements *= length
    groups, extra = (_number(header, name, 1 << 30, default) for name, default in (("GCOUNT", 1), ("PCOUNT", 0)))
    if header.get("BITPIX") not in (8, 16, 32, 64, -32, -64):
        raise ValueError(f"BITPIX of {header.get('BITPIX')!r}")
    return abs(int(header["BITPIX"])) // 8 * groups * (extra + elements)


def _number(header: fits.Header, name: str, most: int, default: int | None = None) -> int:
    value = header.get(name, default)
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{name} of {str(value)[:20]!r}")
    return value
