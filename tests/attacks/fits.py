"""FITS tables: cards that lie, columns of all kinds, damage."""

import io
from collections.abc import Iterator

import numpy as np
from astropy.io import fits

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.material import ROWS, all_are, astropy_bytes, csv_bytes, predicting, table

HONEST = astropy_bytes("fits")
_BLOCK = 2880
_NUMBERS = (
    "-1",
    "0",
    "1",
    "2147483647",
    "-2147483648",
    "9999999999999999999999",
    "1.5",
    "'abc'",
    "T",
    "NaN",
    "1E400",
    "(1,2)",
    "",
)
_VALUES = {
    **dict.fromkeys(("SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "PCOUNT", "GCOUNT", "TFIELDS", "THEAP", "EXTNAME"), _NUMBERS),
    **dict.fromkeys(("TSCAL5", "TZERO5", "TNULL1"), ("0", "-1", "NaN", "1E400", "-1E308", "'abc'", "T", "9223372036854775808", "1E-320")),
    "TFORM5": ("'0D'", "'2D'", "'-1D'", "'999999999D'", "'D999'", "'1P'", "'1PD(9)'", "'1QD'", "'A'", "'8A'", "'X'", "'C'", "'M'", "'Z'", "''", "1", "'1D1D'", "'" + "9" * 30 + "D'"),
    "TDIM5": ("'(1)'", "'(0)'", "'(2,2)'", "'(-1)'", "'(99999,99999)'", "'abc'", "'()'", "1"),
    "TTYPE5": ("''", "' '", "'psfMag_u'", "'objID'", "1", "T", "'a,b'", "'<script>'", "'" + "x" * 60 + "'"),
    "TUNIT5": ("'mag'", "'10**999999999'", "'furlong'", "'Jy'", "1", "''", "'%s%s%n'", "'km / s'", "'mag(AB)'", "'(((((('"),
    "TDISP5": ("'F99999.2'", "'abc'", "'F-1.-1'", "1", "'A1'"),
}  # fmt: skip


def cases() -> Iterator[Case]:
    yield predicting("honest", "t.fits", HONEST, ACCEPTED, check=all_are("ok"))
    yield predicting("honest, by another name", "t.dat", HONEST, ACCEPTED, check=all_are("ok"))
    yield from _cards()
    yield from _files()
    yield from _columns()
    yield from _cut()


def _cards() -> Iterator[Case]:
    for keyword, values in _VALUES.items():
        for value in values:
            yield predicting(f"{keyword} = {value}", "t.fits", with_card(HONEST, keyword, value), EITHER)


def with_card(content: bytes, keyword: str, value: str) -> bytes:
    """A FITS file in which the last card of this keyword has another value, or which gets it at the end of the last header."""
    card = f"{keyword:<8}= {value:>20}"[:80].ljust(80).encode()
    begin = content.rfind(f"{keyword:<8}=".encode())
    if begin < 0 or begin % 80:
        begin = content.rfind(b"END" + b" " * 77)
        if begin % _BLOCK > _BLOCK - 160:  # no room for one more
            begin -= 80
        else:
            content = content[: begin + 80] + b"END".ljust(80) + content[begin + 160 :]
    return content[:begin] + card + content[begin + 80 :]


def _bytes(*hdus: object) -> bytes:
    sink = io.BytesIO()
    fits.HDUList([*hdus]).writeto(sink, output_verify="ignore")
    return sink.getvalue()


def _table(**columns: fits.Column) -> fits.BinTableHDU:
    """The honest table, in which some columns are others."""
    with fits.open(io.BytesIO(HONEST)) as hdus:
        kept = [column for column in hdus[1].columns if column.name not in columns]
        return fits.BinTableHDU.from_columns([*kept, *columns.values()])


def _files() -> Iterator[Case]:
    primary, image = fits.PrimaryHDU(), fits.ImageHDU(np.ones((4, 4)))
    with fits.open(io.BytesIO(HONEST)) as hdus:
        whole = hdus[1].copy()
        ascii_ = fits.TableHDU.from_columns(fits.ColDefs([fits.Column(f"psfMag{k}_{b}", "E15.7", array=np.full(ROWS, v)) for k, v in (("", 19.0), ("Err", 0.03)) for b in "ugriz"] + [fits.Column(f"extinction_{b}", "E15.7", array=np.full(ROWS, 0.1)) for b in "ugriz"]))  # fmt: skip
        packed = fits.CompImageHDU(np.ones((64, 64), np.float32))
        files = {
            "no table": (_bytes(primary), REFUSED),
            "an image": (_bytes(fits.PrimaryHDU(np.ones((4, 4)))), REFUSED),
            "an image in an extension": (_bytes(primary, image), REFUSED),
            "a compressed image": (_bytes(primary, packed), EITHER),
            "the table behind images": (_bytes(primary, image, image, whole), ACCEPTED),
            "two tables": (_bytes(primary, whole, whole), ACCEPTED),
            "a table of text": (_bytes(primary, ascii_), ACCEPTED),
            "no rows": (astropy_bytes("fits", table()[:0]), REFUSED),
            "2,000 headers": (_bytes(primary) + b"".join([_bytes(primary, image)[_BLOCK:]] * 2000), EITHER),
            "a header of 5 MB": (
                _bytes(fits.PrimaryHDU(header=fits.Header([("COMMENT", "x" * 70)] * 60_000)), whole),
                EITHER,
            ),
            "rubbish behind": (HONEST + b"rubbish" * 1000, EITHER),
            "zeros behind": (HONEST + bytes(_BLOCK * 10), EITHER),
            "random groups": (with_card(with_card(_bytes(primary), "NAXIS1", "0"), "GROUPS", "T"), REFUSED),
            "a card that continues for ever": (
                HONEST.replace(b"END".ljust(80), b"CONTINUE  'a&'".ljust(80), 1),
                EITHER,
            ),
            "cards of other bytes": (HONEST.replace(b"EXTEND  ", b"\x1b[31m\xff\x00\x07", 1), EITHER),
            "CSV behind one card": (b"SIMPLE  =                    T" + csv_bytes(), REFUSED),
            "HIERARCH": (with_card(HONEST, "HIERARCH", "a b c = 5"), EITHER),
            "a checksum that is wrong": (with_card(HONEST, "CHECKSUM", "'abcdefghijklmnop'"), EITHER),
        }
    for name, (content, wants) in files.items():
        yield predicting(f"file: {name}", "t.fits", content, wants)


def _columns() -> Iterator[Case]:
    count = ROWS
    lists = np.empty(count, object)
    lists[:] = [np.arange(number, dtype=float) for number in range(count)]
    kinds = {
        "of arrays": fits.Column("psfMag_u", "3D", array=np.ones((count, 3))),
        "of matrices": fits.Column("psfMag_u", "4D", dim="(2,2)", array=np.ones((count, 2, 2))),
        "of no numbers": fits.Column("psfMag_u", "0D", array=np.ones((count, 0))),
        "of lists": fits.Column("psfMag_u", "PD()", array=lists),
        "of long lists": fits.Column("psfMag_u", "QD()", array=lists),
        "of complex numbers": fits.Column("psfMag_u", "M", array=np.ones(count, complex)),
        "of bits": fits.Column("psfMag_u", "12X", array=np.ones((count, 12), bool)),
        "of booleans": fits.Column("psfMag_u", "L", array=np.ones(count, bool)),
        "of text": fits.Column("psfMag_u", "8A", array=np.array(["19.5"] * count)),
        "of text that is no ASCII": fits.Column("psfMag_u", "8A", array=np.array([b"\xff\xfe19.5"] * count)),
        "of long text": fits.Column("note", "100000A", array=np.array(["x" * 100_000] * count)),
        "of scaled integers": fits.Column("psfMag_u", "E", bscale=1e-3, bzero=19, array=np.full(count, 19.5)),
        "of bytes": fits.Column("psfMag_u", "B", array=np.full(count, 19, np.uint8)),
        "of floats for objID": fits.Column("objID", "D", array=np.full(count, 1.2e18)),
        "of unsigned objID": fits.Column("objID", "K", bzero=2**63, array=np.full(count, 2**63 + 5, np.uint64)),
        "of text for objID": fits.Column("objID", "30A", array=np.array(["=cmd|'/C calc'!A0"] * count)),
        "of hours": fits.Column("ra", "D", unit="h", array=np.full(count, 10.0)),
    }
    for name, column in kinds.items():
        yield predicting(
            f"a column {name}", "t.fits", _bytes(fits.PrimaryHDU(), _table(**{column.name: column})), EITHER
        )
    heap = _bytes(fits.PrimaryHDU(), _table(note=fits.Column("note", "PD()", array=lists)))
    begin = heap.rindex(np.array([11, 55 * 8], ">i4").tobytes())  # the last descriptor: 11 numbers
    for name, descriptor in {
        "behind the file": (11, 10**8), "of 2e9 numbers": (2**31 - 1, 0), "of a negative length": (-5, 0), "before the heap": (11, -400),
    }.items():  # fmt: skip
        forged = heap[:begin] + np.array(descriptor, ">i4").tobytes() + heap[begin + 8 :]
        yield predicting(f"a list {name}", "t.fits", forged, EITHER)


def _cut() -> Iterator[Case]:
    for size in (1, 79, 80, 100, 2879, 2880, 2881, 5760, 8640, len(HONEST) - 2000, len(HONEST) - 1500, len(HONEST) - 1):
        yield predicting(
            f"cut to {size} bytes", "t.fits", HONEST[:size], REFUSED if size < len(HONEST) - 1500 else EITHER
        )
