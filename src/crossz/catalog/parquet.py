"""Parquet files of users: which columns are text, how wide their rows are, and words that can be read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossz.catalog.units import check_unit
from crossz.core.errors import Refused
from crossz.core.text import printable

_LONGEST, _LEAST_ROWS = 5000, 1000  # mean bytes of a text in so many rows, and more
_WIDEST = 16 << 20  # mean bytes of a row


def row_bytes(path: Path) -> int:
    """Bytes of a row of a Parquet file when it is read, where rows are largest: a kilobyte may say a million zeros.

    Raises
    ------
    Refused
        They are so many that some rows fill the memory. Or the file says two numbers of rows: readers believe one of them.
    """
    said, most, rows = pq.read_metadata(path), 0, 0
    flat = [number for number in range(said.num_columns) if not said.schema.column(number).max_repetition_level]
    for group in map(said.row_group, range(said.num_row_groups)):
        columns = [group.column(number) for number in range(group.num_columns)]
        size = sum(max(column.total_uncompressed_size, 8 * column.num_values) for column in columns)
        most = max(most, size // max(group.num_rows, 1))
        rows += group.num_rows
        if flat and group.num_rows not in {columns[number].num_values for number in flat}:
            raise Refused(f"it says that {group.num_rows:,} rows follow, and of no column so many values")
    if rows != said.num_rows:
        raise Refused(f"it says that it has {said.num_rows:,} rows, and its groups that they have {rows:,}")
    if most > _WIDEST:
        raise Refused(f"its rows have {most:,} bytes each; leave out columns of long arrays and texts")
    return most


def texts_of(path: Path) -> list[str]:
    """The columns of text in a Parquet file. They are read as categories: a kilobyte may say a text a million times."""
    return [
        field.name for field in pq.read_schema(path) if _is_other_text(field.type) or pa.types.is_string(field.type)
    ]


def of_parquet(table: pa.Table) -> pa.Table:
    """A table of a Parquet file as the other readers give theirs: all text as strings, with words that can be read.

    polars writes text as views, pandas as categories or as strings of 64 bits.

    Raises
    ------
    Refused
        A unit is none. Or a category has so long a name that its rows would take hundreds of megabytes.
    UnicodeDecodeError, pyarrow.ArrowInvalid
        Words about a column, or texts in it, are not UTF-8.
    """
    for field in table.schema:
        for key, word in (field.metadata or {}).items():
            key.decode()
            check_unit(word.decode())
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type) and _is_other_text(column.type):
            size = sum(_text_size(chunk) for chunk in column.chunks)
            if size > _LONGEST * max(len(table), _LEAST_ROWS):
                raise Refused(f"column {printable(name, 40)}: texts of {size:,} bytes in {len(table):,} rows")
    fields = [field.with_type(pa.string()) if _is_other_text(field.type) else field for field in table.schema]
    made = table.cast(pa.schema(fields, table.schema.metadata))
    for column in made.columns:
        if pa.types.is_string(column.type) or pa.types.is_nested(column.type):
            column.validate(full=True)  # no reader of Parquet asks whether a text is UTF-8
    return made


def _text_size(categories: pa.DictionaryArray) -> int:
    lengths = pc.binary_length(categories.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(categories.indices)).as_py() or 0)


def _is_other_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_other_text(kind.value_type) or pa.types.is_string(kind.value_type)
    return bool(pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
