"""The columns of a catalog, their types, and checking a table against them.

A catalog row is a match of one spectrum (SpecObjAll) with one photometric object (PhotoObjAll). Values stay as the
archive gave them: NULL, -9999 and 0 magnitudes are kept apart here and masked where features are made.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crossz.catalog import dcr
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, fail_if
from crossz.core.names import DCR

_PER_BAND = ("psfMag", "psfMagErr", "extinction")

REQUIRED: dict[str, pa.DataType] = {
    "objID": pa.int64(),
    "specObjID": pa.uint64(),
    "ra": pa.float64(),
    "dec": pa.float64(),
    "z": pa.float64(),
    "zErr": pa.float64(),
} | {f"{name}_{band}": pa.float64() for name in _PER_BAND for band in BANDS}
"""Columns that every catalog must have, and what they are read as."""

FIELD: dict[str, pa.DataType] = {name: pa.int32() for name in ("rerun", "run", "camcol", "field")}
"""Columns that say on which frames an object lies; needed wherever frames are cut."""

OPTIONAL: dict[str, pa.DataType] = {
    "bestObjID": pa.int64(),
    "thing_id": pa.int64(),
    "class": pa.string(),
    "zWarning": pa.int32(),
    "plate": pa.int32(),
    "mjd": pa.int32(),
    "fiberID": pa.int32(),
    "run2d": pa.string(),
    "mode": pa.int32(),
    "type": pa.int32(),
    "clean": pa.int32(),
} | {f"{name}_{band}": pa.float64() for name in ("dered", "rowc", "colc") for band in BANDS}
"""Columns that some stage uses when they are there; null otherwise."""

COLUMNS = REQUIRED | FIELD | OPTIONAL
"""All columns of a catalog."""

_NO_NUMBER = ("", "nan")
_DIGITS = 1 << 53  # a float64 holds integers up to here
_ENOUGH = 20  # so many ids are not multiples of a large number by accident
_REMEDY = "64-bit ids lose digits in a float: export the column as bigint or text"


def with_extra(extra_columns: Iterable[str], columns: Mapping[str, pa.DataType] = COLUMNS) -> dict[str, pa.DataType]:
    """`columns`, and the `extra_columns` that the models see (photometry.columns), which are numbers."""
    return dict(columns) | {name: pa.float64() for name in extra_columns if name not in columns}


def conform(
    table: pa.Table, source: str, extra_columns: Sequence[str] = (), columns: Mapping[str, pa.DataType] = COLUMNS
) -> pa.Table:
    """Give a table exactly the wanted columns, with their types.

    Names agree regardless of case, as SQL Server's do. An empty text is null where a number is wanted, and '' in a
    text.

    Parameters
    ----------
    table
        Rows of a finished query.
    source
        What the rows come from, for messages.
    extra_columns
        Names of `photometry.columns`; they are kept as numbers.
    columns
        Names and types that are wanted besides.

    Returns
    -------
    pyarrow.Table
        `columns` and `extra_columns`; other columns are left out, missing optional columns are null.

    Raises
    ------
    CrosszError
        It lists every missing column, every id that passed through a float, and every value that is not of its column's
        type.
    """
    problems, arrays = [], {}
    theirs = {name.lower(): name for name in table.column_names}
    made = dcr.columns(table) if set(DCR) & set(extra_columns) else {}
    for name, kind in with_extra(extra_columns, columns).items():
        if name.lower() not in theirs and name in made:
            arrays[name] = made[name]
            continue
        if name.lower() not in theirs:
            if name in REQUIRED:
                problems.append(f"column {name} is missing; map it in catalog.columns if it has another name")
            elif name in extra_columns and name in DCR:
                needed = ", ".join(dcr.SOURCES)
                problems.append(f"column {name} of photometry.columns: select {needed} in the query, or {name} itself")
            elif name in extra_columns:
                problems.append(
                    f"column {name} of photometry.columns is missing; select it in the query, or map it in catalog.columns"
                )
            arrays[name] = pa.nulls(len(table), kind)
            continue
        try:
            arrays[name] = _cast(table[theirs[name.lower()]], name, kind)
        except CrosszError as error:
            problems.append(str(error))
    fail_if(problems, source)
    for name in ("objID", "specObjID", "ra", "dec", "z", "zErr"):
        if name in arrays and arrays[name].null_count:
            problems.append(f"column {name} has {arrays[name].null_count} empty value(s)")
    problems += _rounded_ids(arrays)
    fail_if(problems, source)
    if not len(table):
        raise CrosszError(f"{source}: no rows; loosen the query's cuts or check its tables")
    return pa.table(arrays)


def _rounded_ids(arrays: dict[str, pa.Array]) -> list[str]:
    """What betrays 64-bit ids that went through a float or a spreadsheet and came back as integers.

    A float64 leaves multiples of 128 of numbers like 1.2e18, a spreadsheet's 15 digits multiples of 1,000. (That an
    objID holds its run, camcol and field is no check: the authors' own catalog gives those of another detection to
    one row in five. And every specObjID is a multiple of 1,024.)
    """
    problems = []
    for name, steps in (("objID", (128, 1000)), ("bestObjID", (128, 1000)), ("specObjID", (1000,))):
        if name not in arrays:
            continue
        ids = np.unique(arrays[name].drop_null().to_numpy())
        if len(ids) >= _ENOUGH and ids[0] > _DIGITS and any((ids % step == 0).all() for step in steps):
            problems.append(f"column {name}: every id is a multiple of a large number; {_REMEDY}")
    return problems


def _cast(column: pa.ChunkedArray, name: str, kind: pa.DataType) -> pa.ChunkedArray:
    is_id = name.endswith("ID") or name == "thing_id"
    if is_id and pa.types.is_floating(column.type):
        raise CrosszError(f"column {name} holds floats ({column.type}); {_REMEDY}")
    if pa.types.is_large_string(column.type):  # as pandas writes text
        column = column.cast(pa.string())
    if pa.types.is_string(column.type) and not pa.types.is_string(kind):
        column = pc.if_else(
            pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(column)), pa.array(_NO_NUMBER)), None, column
        )
    if pa.types.is_integer(kind) and pa.types.is_string(column.type) and not is_id:
        column = pc.replace_substring_regex(pc.replace_substring_regex(column, "^[Tt]rue$", "1"), "^[Ff]alse$", "0")
    try:
        return column.cast(kind)
    except pa.ArrowInvalid as error:
        raise CrosszError(f"column {name} is not {kind}: {error}" + (f"; {_REMEDY}" if is_id else "")) from error
