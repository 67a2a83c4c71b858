"""Bodies of frames and spectra: other files, headers that lie, bombs, damage."""

import bz2
import gzip
import re
from collections.abc import Callable, Iterator

import numpy as np
import toy_frames
from astropy.io import fits as astropy_fits

from attacks.answers import MB
from attacks.clients import (
    FRAME,
    RAW,
    SPECTRUM,
    fetching,
    frame,
    is_spectrum,
    spectrum,
    spectrum_bytes,
)
from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.server import Connection, Kept, answer

_BLOCK = 2880
_END = RAW.find(b"END".ljust(80))
_DATA = -(-(_END + 80) // _BLOCK) * _BLOCK  # where the pixels begin
_PIXELS = RAW[_DATA:]
Made = Callable[[], bytes]


def cases() -> Iterator[Case]:
    for name, (make, wants) in _frames().items():
        evil = Kept(_answering(make))
        for way in ("whole", "prefix", "blocks"):
            partial = EITHER if way != "whole" and wants == REFUSED else wants
            yield from fetching(f"frame, {way}: {name}", evil, partial, pair=way == "whole", client=frame[way])
    seen = {"client": spectrum, "right": is_spectrum}
    for name, (make, wants) in _spectra().items():
        yield from fetching(f"spectrum: {name}", Kept(_answering(make)), wants, **seen)
    yield from fetching("spectrum: one byte differs each time", _differing, REFUSED, **seen)
    yield from fetching("spectrum: 404", answer(b"", "404 X"), REFUSED, **seen)


def _answering(make: Made) -> Made:
    return lambda: answer(make())


def _differing(c: Connection) -> None:
    """An undefined byte at the end, which no check sees, is another one in each answer."""
    c.send(answer(SPECTRUM[:-100] + bytes([c.number % 250 + 1]) + SPECTRUM[-99:]))


def _packed(*parts: bytes) -> Made:
    return lambda: bz2.compress(b"".join(parts))


def _bomb(begin: bytes, more: bytes = MB, times: int = 256) -> Made:
    def make() -> bytes:
        packer = bz2.BZ2Compressor(9)
        return b"".join([packer.compress(begin), *(packer.compress(more) for _ in range(times)), packer.flush()])

    return make


def _with(**cards: object) -> Made:
    """The frame with other cards in its header."""
    header = astropy_fits.Header.fromstring(RAW[: _END + 80])
    for keyword, value in cards.items():
        header[keyword] = value
    return _packed(header.tostring().encode(), _PIXELS)


def _card(text: str) -> bytes:
    return text.ljust(80).encode("latin-1")[:80]


def _frames() -> dict[str, tuple[Made, str]]:
    cards = (
        {"RUN": 1}, {"CAMCOL": 1}, {"FRAME": 7}, {"FILTER": "g"}, {"NAXIS1": 30000}, {"NAXIS1": 2048.0}, {"NAXIS1": -2048}, {"NAXIS2": 0}, {"NAXIS2": 299}, {"NAXIS2": 301}, {"NAXIS2": 1490}, {"NAXIS2": True}, {"NAXIS": 3, "NAXIS3": 100000}, {"NAXIS": 999}, {"BITPIX": -64}, {"BITPIX": 8},
        {"BITPIX": 1}, {"BSCALE": 2.0}, {"BZERO": 1.0}, {"CRPIX1": 1e300}, {"CD1_2": 0.0, "CD2_1": 0.0}, {"CTYPE1": "RA---TPV"}, {"CRVAL2": 95.0}, {"CD1_2": 1.0}, {"CUNIT1": "furlong"}, {"RUN": "1043"}, {"A_ORDER": 9, "CTYPE1": "RA---TAN-SIP"},
    )  # fmt: skip
    found = {f"{more}": (_with(**more), REFUSED) for more in cards}
    found["GROUPS"] = _with(GROUPS=True, GCOUNT=10**9, PCOUNT=10**9), EITHER
    found["another place, of which nothing is known"] = _with(CRVAL1=10.0), ACCEPTED
    found["another EXTEND"] = _with(EXTEND=False), ACCEPTED
    simple = RAW[:80]
    half = len(FRAME) // 2
    return found | {
        "another band": (lambda: bz2.compress(toy_frames.frame_bytes(band="g")), REFUSED), "text": (lambda: b"hello", REFUSED), "gzip": (lambda: gzip.compress(RAW), REFUSED), "level 0": (lambda: b"BZh0" + FRAME[4:], REFUSED), "level 1": (lambda: b"BZh1" + FRAME[4:], REFUSED), "zeros": (lambda: bytes(len(FRAME)), REFUSED),
        "256 MB of zeros": (_bomb(b""), REFUSED), "a header that never ends": (_bomb(RAW[: 80 * 20], _card("COMMENT x") * 13107, 60), REFUSED), "256 MB after the header": (_bomb(RAW[: _BLOCK * 20]), REFUSED), "256 MB after the frame": (_bomb(RAW), REFUSED), "twice": (lambda: FRAME + FRAME, REFUSED), "nothing, compressed": (_packed(b""), REFUSED),
        "compressed twice": (lambda: bz2.compress(FRAME), REFUSED), "cut by a byte": (lambda: FRAME[:-1], REFUSED), "cut by half": (lambda: FRAME[:half], REFUSED), "cut within the pixels": (_packed(RAW[: _BLOCK * 500]), REFUSED), "cut within the header": (_packed(RAW[:1000]), REFUSED), "a bit flipped": (lambda: FRAME[:half] + bytes([FRAME[half] ^ 1]) + FRAME[half + 1 :], REFUSED),
        "a NaN": (_packed(RAW[: _BLOCK * 20], b"\x7f\xc0\0\0", RAW[_BLOCK * 20 + 4 :]), REFUSED), "an infinity": (_packed(RAW[: _BLOCK * 600], b"\x7f\x80\0\0", RAW[_BLOCK * 600 + 4 :]), REFUSED), "16 MB more": (lambda: FRAME + bytes(16 << 20), REFUSED), "no ASCII in the header": (_packed(RAW[:800], b"\xff" * 80, RAW[880:]), EITHER),
        "300,000 cards of CONTINUE": (_packed(simple, _card(f"CONTINUE  '{'a' * 60}&'") * 300_000), REFUSED), "108 cards of HIERARCH": (_packed(simple, _card("HIERARCH ESO A = 1") * 108, RAW[80:]), EITHER), "an escape in the header": (_packed(simple, _card("FILTER  = '\x1b[31m'"), RAW[160:]), REFUSED), "html, compressed": (_packed(b"<html>\x1b[31m"), REFUSED),
        "40 bombs of 25 MB": (lambda: _bomb(b"", MB, 25)() * 40, REFUSED), "cards without values": (_packed(simple, *(_card(f"NAXIS{k}  =") for k in range(9)), RAW[800:]), REFUSED), "a header of one card": (_packed(simple, _card("END"), bytes(_BLOCK - 160)), REFUSED),
    }  # fmt: skip


def _spectra() -> dict[str, tuple[Made, str]]:
    def column(**values: np.ndarray) -> Made:
        return lambda: spectrum_bytes(**values)

    def changed(pattern: bytes, text: bytes) -> Made:
        found = re.search(pattern, SPECTRUM)
        assert found is not None, pattern
        return lambda: SPECTRUM[: found.start()] + text.ljust(len(found[0]))[:80] + SPECTRUM[found.start() + max(len(found[0]), len(text)) :]  # fmt: skip

    def card(keyword: str, value: str) -> Made:
        return changed(rb"%-8s= .{70}" % keyword.encode(), f"{keyword:<8}= {value:>20}".ljust(80).encode())

    empty = b"".join(map(_card, ("SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0", "END"))).ljust(_BLOCK)  # fmt: skip
    image = empty.replace(_card("SIMPLE  =                    T"), _card("XTENSION= 'IMAGE   '"))
    ones = np.ones(2000, ">f4")
    loglam = 3.6 + 1e-4 * np.arange(2000)
    one_byte = SPECTRUM[:-100] + b"\1" + SPECTRUM[-99:]
    cards = (("PLATEID", "1"), ("PLATEID", "'10000'"), ("PLATEID", "10000.5"), ("EXTNAME", "'COAD'"), ("EXTNAME", "5"), ("NAXIS2", "9999999999"), ("NAXIS2", "-1"), ("NAXIS2", "1900"), ("NAXIS1", "0"), ("PCOUNT", "9999999999999999999"), ("PCOUNT", "-5"), ("GCOUNT", "2"), ("TFIELDS", "999"), ("TFIELDS", "-1"), ("TFIELDS", "T"), ("TFORM1", "'1PE(9)'"), ("TFORM1", "'99999999E'"), ("TFORM1", "''"), ("TFORM1", "'C'"), ("TFORM1", "'L'"), ("TFORM1", "'E\x1b'"), ("TTYPE1", "'loglam'"), ("TTYPE1", "5"), ("XTENSION", "'TABLE   '"))  # fmt: skip
    found = {f"{keyword} = {value}": (card(keyword, value), REFUSED) for keyword, value in cards}
    found |= {f"cut after {size} bytes": (lambda size=size: SPECTRUM[:size], REFUSED) for size in (0, 1, 2880, len(SPECTRUM) - 1, len(SPECTRUM) - 2880)}  # fmt: skip
    return found | {
        "honest": (lambda: SPECTRUM, ACCEPTED), "one byte differs, always the same": (lambda: one_byte, EITHER),
        "NaN": (column(flux=ones * np.nan), REFUSED), "infinite ivar": (column(ivar=ones * np.inf), REFUSED), "negative ivar": (column(ivar=-ones), REFUSED), "text": (column(flux=np.full(2000, b"1.0")), REFUSED), "two dimensions": (column(flux=np.ones((2000, 2), ">f4")), REFUSED),
        "a mask of floats": (column(and_mask=ones), REFUSED), "backwards": (column(loglam=loglam[::-1].astype(">f4")), REFUSED), "wavelengths of 1e30": (column(loglam=(loglam * 1e30).astype(">f8")), REFUSED), "NaN wavelengths": (column(loglam=ones * np.nan), REFUSED), "no rows": (lambda: spectrum_bytes(**{name: np.zeros(0, kind) for name, kind in (("flux", ">f4"), ("loglam", ">f4"), ("ivar", ">f4"), ("and_mask", ">i4"))}), REFUSED),
        "zeros": (lambda: bytes(len(SPECTRUM)), REFUSED), "9 MB more": (lambda: SPECTRUM + bytes(9 << 20), REFUSED), "a block more": (lambda: SPECTRUM + bytes(_BLOCK), REFUSED), "8 MB of header": (lambda: _card("SIMPLE  =                    T") + _card("COMMENT a") * (36 * 2900 - 1), REFUSED), "2,900 HDUs": (lambda: empty + image * 2900, REFUSED), "html": (lambda: b"<html>".ljust(_BLOCK), REFUSED), "COADD twice": (lambda: SPECTRUM + SPECTRUM[_BLOCK:], EITHER),
    }  # fmt: skip
