"""FITS as bytes: headers, images and tables, written thousands of times faster than through a general library."""

from collections.abc import Iterable

import numpy as np

_BLOCK = 2880


def header(cards: Iterable[tuple]) -> bytes:
    """A header of (key, value) or (key, value, comment) cards, END added, padded to whole blocks."""
    text = "".join(_card(*card) for card in cards) + f"{'END':<80}"
    return text.encode("ascii").ljust(-(-len(text) // _BLOCK) * _BLOCK)


def _card(key: str, value: bool | int | float | str, comment: str = "") -> str:
    if isinstance(value, bool | np.bool_):
        field = f"{'T' if value else 'F':>20}"
    elif isinstance(value, int | np.integer):
        field = f"{value:>20d}"
    elif isinstance(value, float | np.floating):
        field = f"{float(value)!r:>20}".replace("e", "E")
    else:
        field = f"'{value:<8}'".ljust(20)
    return f"{key:<8}= {field}{f' / {comment}' if comment else ''}"[:80].ljust(80)


def padded(data: bytes) -> bytes:
    """The data of an HDU, filled up with zeros to whole blocks."""
    return data + bytes(-len(data) % _BLOCK)


def primary(image: np.ndarray | None, cards: Iterable[tuple]) -> bytes:
    """The primary HDU, of a float32 `image` [rows, columns] or of none."""
    shape = () if image is None else image.shape[::-1]
    axes = [(f"NAXIS{k + 1}", size) for k, size in enumerate(shape)]
    first = [("SIMPLE", True), ("BITPIX", 8 if image is None else -32), ("NAXIS", len(shape)), *axes, ("EXTEND", True)]
    return header([*first, *cards]) + (b"" if image is None else padded(image.astype(">f4").tobytes()))


def image(values: np.ndarray) -> bytes:
    """An image extension of float32 `values`."""
    axes = [(f"NAXIS{k + 1}", size) for k, size in enumerate(values.shape[::-1])]
    cards = [("XTENSION", "IMAGE"), ("BITPIX", -32), ("NAXIS", values.ndim), *axes, ("PCOUNT", 0), ("GCOUNT", 1)]
    return header(cards) + padded(values.astype(">f4").tobytes())


_CODES = {"f4": "E", "f8": "D", "i2": "I", "i4": "J", "i8": "K"}


def table_header(dtype: np.dtype, rows: int, name: str = "") -> bytes:
    """The header of a binary table whose rows are the big-endian structured `dtype`."""
    names = dtype.names or ()
    cards = [("XTENSION", "BINTABLE"), ("BITPIX", 8), ("NAXIS", 2), ("NAXIS1", dtype.itemsize), ("NAXIS2", rows)]
    cards += [("PCOUNT", 0), ("GCOUNT", 1), ("TFIELDS", len(names))]
    for k, column in enumerate(names, start=1):
        base, shape = dtype[column].base, dtype[column].shape
        count = int(np.prod(shape))
        code = f"{base.itemsize}A" if base.kind == "S" else f"{count if count > 1 else ''}{_CODES[base.str[1:]]}"
        cards += [(f"TTYPE{k}", column), (f"TFORM{k}", code)]
        if len(shape) > 1:
            cards += [(f"TDIM{k}", f"({','.join(map(str, shape[::-1]))})")]
    return header(cards + ([("EXTNAME", name)] if name else []))


def table(rows: np.ndarray, name: str = "") -> bytes:
    """A binary table extension of a structured, big-endian array."""
    return table_header(rows.dtype, len(rows), name) + padded(rows.tobytes())
