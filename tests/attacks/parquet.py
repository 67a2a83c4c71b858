"""Parquet files: damaged pages, footers that lie, columns of all types, texts that unpack to much more."""

import datetime
import decimal
import functools
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case, Content
from attacks.material import ROWS, all_are, parquet_bytes, predicting, table, with_column

HONEST = parquet_bytes()


def cases() -> Iterator[Case]:
    for packing in ("none", "snappy", "gzip", "zstd", "lz4", "brotli"):
        content = parquet_bytes(compression=packing)
        yield predicting(f"honest: {packing}", "t.parquet", content, ACCEPTED, check=all_are("ok"))
    for name, (content, wants) in {**_damage(), **_types(), **_words()}.items():
        yield predicting(name, "t.parquet", content, wants)
    yield from _large()


def _damage() -> dict[str, tuple[Content, str]]:
    size = len(HONEST)
    found: dict[str, tuple[Content, str]] = {}
    for place in range(4, size, size // 60):
        found[f"byte {place} turned"] = (HONEST[:place] + bytes([HONEST[place] ^ 0xFF]) + HONEST[place + 1 :], EITHER)
    plain = parquet_bytes(compression="none", use_dictionary=False)
    for place in range(4, 400, 10):
        found[f"byte {place} of a plain file turned"] = (
            plain[:place] + bytes([plain[place] ^ 0x7F]) + plain[place + 1 :],
            EITHER,
        )
    for length in (0, 1, -1, 8, size - 9, size, 2**31 - 1):
        found[f"a footer of {length} bytes"] = (HONEST[:-8] + struct.pack("<i", length) + b"PAR1", REFUSED)
    for cut in (4, 8, 12, 100, size // 2, size - 8, size - 1):
        found[f"cut to {cut} bytes"] = (HONEST[:cut], REFUSED)
    found |= {
        "zeros for the middle": (HONEST[:100] + bytes(size - 2100) + HONEST[-2000:], REFUSED),
        "encrypted": (HONEST[:-4] + b"PARE", REFUSED),
        "rubbish behind": (HONEST + b"rubbish", REFUSED),
        "twice": (HONEST + HONEST, EITHER),
        "magic alone": (b"PAR1PAR1", REFUSED),
        "no rows": (parquet_bytes(pa.Table.from_pandas(table()[:0])), REFUSED),
        "no columns": (parquet_bytes(pa.table({})), REFUSED),
        "rows without columns": (parquet_bytes(pa.Table.from_pandas(table()).select([])), REFUSED),
        "many groups of rows": (
            parquet_bytes(pa.concat_tables([pa.Table.from_pandas(table())] * 300), row_group_size=3),
            ACCEPTED,
        ),
    }
    return found


def _types() -> dict[str, tuple[Content, str]]:
    number, day = np.full(ROWS, 19.5), datetime.date(2026, 1, 1)
    arrays = {
        "float16": pa.array(number.astype(np.float16)),
        "float32": pa.array(number.astype(np.float32)),
        "int8": pa.array([19] * ROWS, pa.int8()),
        "uint64": pa.array([2**64 - 1] * ROWS, pa.uint64()),
        "decimal": pa.array([decimal.Decimal("19.5")] * ROWS, pa.decimal128(20, 3)),
        "a large decimal": pa.array([decimal.Decimal("9" * 70)] * ROWS, pa.decimal256(76, 3)),
        "text": pa.array(["19.5"] * ROWS),
        "large text": pa.array(["19.5"] * ROWS, pa.large_string()),
        "views": pa.array(["19.5"] * ROWS, pa.string_view()),
        "categories": pa.array(["19.5"] * ROWS).dictionary_encode(),
        "categories of numbers": pa.array(number).dictionary_encode(),
        "bytes": pa.array([b"19.5"] * ROWS),
        "bytes of fixed length": pa.array([b"1234"] * ROWS, pa.binary(4)),
        "booleans": pa.array([True] * ROWS),
        "nothing": pa.nulls(ROWS),
        "nulls": pa.array([None] * ROWS, pa.float64()),
        "dates": pa.array([day] * ROWS),
        "dates beyond Python": pa.array([2**40] * ROWS, pa.date64()),
        "times": pa.array([2**50] * ROWS, pa.timestamp("s")),
        "times of a zone that is none": pa.array([0] * ROWS, pa.timestamp("us", "Mars/Olympus")),
        "times of day": pa.array([datetime.time(1)] * ROWS),
        "spans": pa.array([2**50] * ROWS, pa.duration("s")),
        "lists": pa.array([[19.5]] * ROWS),
        "empty lists": pa.array([[]] * ROWS, pa.list_(pa.float64())),
        "lists of lists": pa.array([[[19.5]]] * ROWS),
        "lists of other lengths": pa.array([[1.0] * number for number in range(ROWS)]),
        "lists of text": pa.array([["<script>"]] * ROWS),
        "lists of dates beyond Python": pa.array([[2**40]] * ROWS, pa.list_(pa.date64())),
        "lists of one length": pa.array([[1.0, 2.0]] * ROWS, pa.list_(pa.float64(), 2)),
        "structs": pa.array([{"a": 1, "b": "x"}] * ROWS),
        "structs of dates beyond Python": pa.array([{"a": 2**40}] * ROWS, pa.struct([("a", pa.timestamp("s"))])),
        "maps": pa.array([[("a", 1)]] * ROWS, pa.map_(pa.string(), pa.int64())),
        "text that is no UTF-8": pa.Array.from_buffers(
            pa.string(), ROWS, [None, pa.py_buffer(np.arange(ROWS + 1, dtype=np.int32)), pa.py_buffer(b"\xff" * ROWS)]
        ),
        "text with escapes": pa.array(["\x1b[31m"] * ROWS),
        "text with NUL": pa.array(["a\0b"] * ROWS),
        "formulas": pa.array(["=1+1"] * ROWS),
    }
    found: dict[str, tuple[Content, str]] = {}
    for name, array in arrays.items():
        for column in ("psfMag_u", "objID", "ra", "note"):
            found[f"{column} of {name}"] = (with_column(column, array), EITHER)
    deep = pa.array([1.0] * ROWS)
    for _ in range(60):
        deep = pa.StructArray.from_arrays([deep], ["a"])
    found["60 structs in each other"] = (with_column("note", deep), EITHER)
    return found


def _words() -> dict[str, tuple[Content, str]]:
    given = pa.Table.from_pandas(table(), preserve_index=False)
    magnitude = pa.array(np.full(ROWS, 19.5))

    def said(**words: str | bytes) -> bytes:
        return with_column("psfMag_u", magnitude, words)

    def named(*names: str) -> bytes:
        return parquet_bytes(given.rename_columns([*names, *given.column_names[len(names) :]]))

    deep = "[" * 100_000
    return {
        "a unit with a power": (said(unit="10**999999999"), REFUSED),
        "a unit of words": (said(unit="furlong"), REFUSED),
        "a unit that is no UTF-8": (said(unit=b"\xff"), REFUSED),
        "a key that is no UTF-8": (with_column("psfMag_u", magnitude, {b"\xff": b"a"}), EITHER),
        "a description of 5 MB": (said(description="x" * 5_000_000), EITHER),
        "a description with escapes": (said(description="\x1b[31m", ucd="\x9b"), EITHER),
        "a column that claims to be ours": (said(crossz="z_phot"), EITHER),
        "two columns of one name": (named("ra", "ra"), REFUSED),
        "two columns of one name but for the case": (named("RA", "Ra"), REFUSED),
        "columns without names": (named("", ""), EITHER),
        "a name with a dot": (named("a.b"), EITHER),
        "a name with escapes": (named("\x1b[31m"), EITHER),
        "a name of two lines": (named("a\nb"), EITHER),
        "a name of 1 MB": (named("x" * 10**6), EITHER),
        "words of pandas that lie": (
            parquet_bytes(
                given.replace_schema_metadata({"pandas": '{"index_columns": ["none"], "columns": [{"name": 1}]}'})
            ),
            EITHER,
        ),
        "words of pandas that are none": (parquet_bytes(given.replace_schema_metadata({"pandas": deep})), EITHER),
        "a header of crossz": (parquet_bytes(given.replace_schema_metadata({"crossz.header": deep})), EITHER),
        "a header of a list": (parquet_bytes(given.replace_schema_metadata({"crossz.header": "[1]"})), EITHER),
        "an Arrow schema that is none": (
            parquet_bytes(given.replace_schema_metadata({"ARROW:schema": "AAAA"}), store_schema=False),
            EITHER,
        ),
        "an extension type": (
            with_column(
                "note",
                pa.ExtensionArray.from_storage(
                    pa.fixed_shape_tensor(pa.float64(), [2]), pa.array([[1.0, 2.0]] * ROWS, pa.list_(pa.float64(), 2))
                ),
            ),
            EITHER,
        ),
        "JSON": (with_column("note", pa.ExtensionArray.from_storage(pa.json_(), pa.array([deep] * ROWS))), EITHER),
        "an opaque type": (
            with_column("note", pa.ExtensionArray.from_storage(pa.opaque(pa.int64(), "x", "y"), pa.array([1] * ROWS))),
            EITHER,
        ),
    }


def _large() -> Iterator[Case]:
    """Files of a few kilobytes, or some megabytes, that unpack to much more. They are made where they are written."""
    texts: dict[str, tuple[int, Callable[[], pa.Array], dict]] = {
        "a text of 655 MB": (
            ROWS,
            lambda: pa.array(["x" * (655 << 20)] + ["a"] * (ROWS - 1), pa.large_string()),
            _PLAIN,
        ),
        "a page of 655 MB of text": (
            ROWS,
            lambda: pa.array(["x" * (655 << 20)] + ["a"] * (ROWS - 1), pa.large_string()),
            _ZSTD,
        ),
        "12 texts of 50 MB": (ROWS, lambda: pa.array(["x" * (50 << 20)] * ROWS, pa.large_string()), _PLAIN),
        "16,384 texts of 40 kB": (1 << 14, lambda: pa.array(["x" * 40_000] * (1 << 14), pa.large_string()), _PLAIN),
        "200,000 times 9,999 letters": (200_000, lambda: _often(9999, 200_000), {"store_schema": False}),
        "100,000 times 10 MB": (100_000, lambda: _often(10 << 20, 100_000), {"store_schema": False}),
        "arrays of 5 million zeros": (ROWS, lambda: _zeros(5_000_000), _ZSTD),
        "arrays of 50 million zeros": (ROWS, lambda: _zeros(50_000_000), _ZSTD),
        "12 cells of 50 MB": (ROWS, lambda: pa.array([bytes(50 << 20)] * ROWS, pa.large_binary()), _PLAIN),
    }
    for name, (count, column, how) in texts.items():
        yield predicting(name, "t.parquet", functools.partial(_write, count, column, how), EITHER)
    columns = {f"c{number}": [1] * ROWS for number in range(20_000)}
    yield predicting(
        "20,000 columns",
        "t.parquet",
        lambda path: pq.write_table(pa.table({**table().to_dict("list"), **columns}), path),
        EITHER,
    )


_ZSTD = {"compression": "zstd"}
_PLAIN = _ZSTD | {"use_dictionary": False}


def _write(count: int, column: Callable[[], pa.Array], how: dict, path: Path) -> None:
    given = pa.Table.from_pandas(table(), preserve_index=False).take(np.resize(np.arange(ROWS), count))
    pq.write_table(given.append_column("note", column()), path, **how)


def _often(size: int, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array(["x" * size]))


def _zeros(count: int) -> pa.Array:
    """ROWS arrays of zeros."""
    offsets = pa.array(np.arange(ROWS + 1, dtype=np.int64) * count)
    return pa.LargeListArray.from_arrays(offsets, pa.array(np.zeros(ROWS * count, np.float32)))
