"""Parquet files whose footer says other numbers: of rows, of bytes, of places in the file."""

import struct
from collections.abc import Iterator

import pyarrow as pa

from attacks.harness import ACCEPTED, EITHER, Case
from attacks.material import ROWS, all_are, estimates, parquet_bytes, predicting, sound, table

VALUES = (-(1 << 62), -1, 0, 1, ROWS - 1, ROWS + 1, 1 << 20, 1 << 31, 1 << 62)
_NAMES = {
    (3,): "rows of the file",
    (4, 0, 1, 0, 2): "place of the first column",
    (4, 0, 1, 0, 3, 1): "type of the first column",
    (4, 0, 1, 0, 3, 4): "packing of the first column",
    (4, 0, 1, 0, 3, 5): "values of the first column",
    (4, 0, 1, 0, 3, 6): "unpacked bytes of the first column",
    (4, 0, 1, 0, 3, 7): "bytes of the first column",
    (4, 0, 1, 0, 3, 9): "place of the first page",
    (4, 0, 1, 0, 3, 11): "place of the first dictionary",
    (4, 0, 1, 5, 3, 5): "values of the sixth column",
    (4, 0, 1, 5, 3, 6): "unpacked bytes of the sixth column",
    (4, 0, 1, 5, 3, 7): "bytes of the sixth column",
    (4, 0, 1, 5, 3, 9): "place of the sixth column's first page",
    (4, 0, 2): "bytes of the first group",
    (4, 0, 3): "rows of the first group",
    (4, 0, 5): "place of the first group",
    (4, 1, 3): "rows of the second group",
    (2, 0, 5): "columns of the schema",
}


def cases() -> Iterator[Case]:
    honest = parquet_bytes(pa.Table.from_pandas(table(), preserve_index=False), row_group_size=7)
    yield predicting("honest", "t.parquet", honest, ACCEPTED, check=all_are("ok"))
    places = _numbers(_footer(honest))
    for path, name in _NAMES.items():
        for value in VALUES:
            forged = _with_number(honest, places[path], value)
            yield predicting(f"{name}: {value}", "t.parquet", forged, EITHER, check=lambda: sound("out.csv", ROWS))
    for rows in (0, 1, 6, 8, 1 << 40):
        forged = _with_number(_with_number(honest, places[4, 0, 3], rows), places[3,], rows + ROWS - 7)
        yield predicting(f"{rows} rows of the first group, and as many of the file", "t.parquet", forged)
    whole = parquet_bytes(estimates(), row_group_size=7)
    yield Case("nz: honest", ["nz", "e.parquet", "nz.csv"], {"e.parquet": whole}, ACCEPTED)
    places = _numbers(_footer(whole))
    for path in ((3,), (4, 0, 3), (4, 1, 3)):
        for value in VALUES:
            forged = _with_number(whole, places[path], value)
            yield Case(f"nz: {_NAMES[path]}: {value}", ["nz", "e.parquet", "nz.csv"], {"e.parquet": forged})


def _footer(content: bytes) -> bytes:
    (size,) = struct.unpack_from("<i", content, len(content) - 8)
    return content[-8 - size : -8]


def _with_number(content: bytes, place: tuple[int, int], value: int) -> bytes:
    """The file with another whole number at a place of its footer."""
    footer = _footer(content)
    changed = footer[: place[0]] + _varint(value << 1 ^ value >> 63) + footer[place[1] :]
    return content[: -8 - len(footer)] + changed + struct.pack("<i", len(changed)) + b"PAR1"


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def _numbers(footer: bytes) -> dict[tuple[int, ...], tuple[int, int]]:
    """Begin and end of each whole number in a footer, by the numbers of the fields that lead to it (Thrift, compact protocol)."""
    found: dict[tuple[int, ...], tuple[int, int]] = {}

    def varint(at: int) -> tuple[int, int]:
        number = shift = 0
        while True:
            number |= (footer[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if footer[at - 1] < 128:
                return number, at

    def value(kind: int, at: int, path: tuple[int, ...]) -> int:
        if kind in (4, 5, 6):
            end = varint(at)[1]
            found[path] = at, end
            return end
        if kind == 8:
            size, at = varint(at)
            return at + size
        if kind == 9:
            head, at = footer[at], at + 1
            size, at = varint(at) if head >> 4 == 15 else (head >> 4, at)
            for number in range(size):
                at = value(head & 15, at, (*path, number))
            return at
        return fields(at, path) if kind == 12 else at + {1: 0, 2: 0, 3: 1, 7: 8}[kind]

    def fields(at: int, path: tuple[int, ...]) -> int:
        number = 0
        while head := footer[at]:
            number += head >> 4
            at = value(head & 15, at + 1, (*path, number))
        return at + 1

    fields(0, ())
    return found
