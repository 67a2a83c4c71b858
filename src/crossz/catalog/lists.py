"""A user's table under our names: which column is which, in what units, and what of it counts as missing.

The command `crossz` and the workflow read tables by this alone, so that both take the same for the same. How a table is
read is decided once, from its columns (`reading`); then any of its rows can be brought under our names (`renamed`).
"""

import contextlib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from crossz.catalog import units as un
from crossz.catalog.columns import with_extra
from crossz.catalog.formats import Field
from crossz.catalog.naming import suggestion, taken
from crossz.catalog.readers import column_of, fields_of, read_all
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.core.text import printable

log = logging.getLogger(__name__)

_MAGNITUDES = ("psfMag", "dered")
_NUMBERS = {f"{kind}_{band}" for kind in (*_MAGNITUDES, "psfMagErr", "extinction") for band in BANDS}
_SEXAGESIMAL = r"^\s*([+-]?)([0-9]{1,3})[:hd°\s]\s*([0-9]{1,2})[:m'\s]\s*([0-9]{1,2}(?:\.[0-9]*)?)[s\"]?\s*$"
_SEPARATED = r"\d[:hd°\s\p{Z}]"  # what every such text has, and hardly a number
_FLOAT_ID = r"^\s*\d+(\.\d*)?[eE]\+?\d+\s*$|^\s*\d{16,}\.\d*\s*$"
_SHOWN = 3
_NAMES = 200  # characters


class Reading(NamedTuple):
    """How a table is read."""

    source: str
    """The table, for messages."""
    fields: list[Field]
    """Its columns."""
    columns: dict[str, str]
    """Our name -> that of the table, of each column that it has."""
    units: dict[str, tuple[str, float]]
    """Kind of unit and maggies of each magnitude and error (`units.unit_named`)."""
    sure: bool
    """Whether the user said the unit, so that no value is doubted."""


class UserList(NamedTuple):
    """A table of targets."""

    given: pa.Table
    """All of its columns, as `readers.read_all` gives them."""
    known: pa.Table
    """The same rows under our names (`renamed`)."""
    how: Reading
    """What was taken for what."""


def read_table(
    path: str | Path,
    columns: Mapping[str, str] | None = None,
    extra_columns: Sequence[str] = (),
    units: str | None = None,
) -> pa.Table:
    """Read a table under our names.

    Names match regardless of case, as SQL Server's do. Ids and text of a CSV are read as text first, so that no id
    passes through a float. Positions are found by the names and UCDs that catalogs have for them, and may be
    sexagesimal. Fluxes and AB magnitudes become asinh magnitudes.

    Parameters
    ----------
    path
        A CSV, TSV, ECSV, FITS, VOTable or Parquet file, also compressed by gzip; `-` is what comes through a pipe.
    columns
        The file's name of each of our columns, where the two differ. `*` stands for the band: psfMag_*: '*mag'.
    extra_columns
        Columns that are kept beside those of a catalog.
    units
        Of magnitudes and their errors: one of `units.UNITS`, or what astropy understands; None: as the file says, and
        asinh magnitudes where it says nothing.

    Raises
    ------
    CrosszError
        The file cannot be read, two of its columns have one name, a column of `columns` is not there, a position is
        in no known unit, or values are no magnitudes and no unit says what they are.
    """
    table = read_all(path)
    return renamed(table, reading(fields_of(table.schema), str(path), columns, extra_columns, units))


def read_list(
    path: str | Path,
    needed: Sequence[str],
    columns: Mapping[str, str] | None = None,
    extra_columns: Sequence[str] = (),
    units: str | None = None,
) -> UserList:
    """Read a table of targets as `read_table` does, and say what of it counts as missing.

    Parameters
    ----------
    needed
        The columns that the networks read; a band may be absent. Empty: none has to be there.

    Raises
    ------
    CrosszError
        As `read_table` and `check_needed` say.
    """
    table = read_all(path)
    how = reading(fields_of(table.schema), str(path), columns, extra_columns, units)
    check_needed(how, needed)
    ours = renamed(table, how)
    note_missing(table, how)
    return UserList(table, ours, how)


def reading(
    fields: list[Field],
    source: str,
    columns: Mapping[str, str] | None = None,
    extra_columns: Sequence[str] = (),
    units: str | None = None,
) -> Reading:
    """How a table with these `fields` is read; parameters and errors are those of `read_table`."""
    found = taken(fields, columns or {}, with_extra(extra_columns), source)
    said = {field.name: field for field in fields}
    kinds = {}
    given = un.unit_named(units) if units else None
    for name in found:
        if name.rpartition("_")[0] in (*_MAGNITUDES, "psfMagErr"):
            text = said[found[name]].unit
            inverse = name.startswith("psfMagErr") and un.inverse_variance(found[name], text)
            try:
                kinds[name] = given or un.unit_named("" if inverse else text)
            except CrosszError as error:
                raise CrosszError(f"{source}: column {found[name]}: {error}") from error
    if place := [
        f"{found[name]} is taken as {name}" for name in ("ra", "dec") if found.get(name, name).lower() != name
    ]:
        log.info(f"{source}: {', '.join(place)}")
    known = {name: kind for name, kind in kinds.items() if kind}
    return Reading(source, fields, found, known, units is not None)


def renamed(table: pa.Table, how: Reading) -> pa.Table:
    """The rows of a table under our names, with asinh magnitudes, and positions in degrees.

    Parameters
    ----------
    table
        All rows of the table, or some.
    how
        What `reading` gave for it.
    """
    _check_kinds(table, how)
    _check_ids(table, how)
    ours = {name: column_of(table, theirs) for name, theirs in how.columns.items()}
    for name in _NUMBERS & ours.keys():
        ours[name] = _with_points(ours[name])
    for name in {"ra", "dec"} & ours.keys():
        ours[name] = _degrees(ours[name], name, next(f for f in how.fields if f.name == how.columns[name]), how.source)
    ours |= _magnitudes(ours, how)
    if not how.sure:
        for kind in _MAGNITUDES:
            names = [name for name in (f"{kind}_{band}" for band in BANDS) if name in ours]
            un.check_plausible({how.columns[name]: numbers(ours[name]) for name in names}, how.source)
    return pa.table(ours) if ours else table.select([])  # which keeps the number of rows


def _check_kinds(table: pa.Table, how: Reading) -> None:
    """Raise CrosszError if a column of ours holds neither numbers nor text, but arrays, dates or bytes."""
    kinds = pa.types
    plain = (kinds.is_integer, kinds.is_floating, kinds.is_decimal, kinds.is_boolean, kinds.is_null, kinds.is_string)
    for name, theirs in how.columns.items():
        kind = column_of(table, theirs).type
        if not any(is_kind(kind) for is_kind in (*plain, kinds.is_large_string)):
            raise CrosszError(f"{how.source}: column {theirs} ({name}) holds {kind}, not numbers or text")


def _check_ids(table: pa.Table, how: Reading) -> None:
    """Raise CrosszError if an id of SDSS went through a float: it is another object's then, or nobody's."""
    for name in ("objID", "specObjID"):
        if name not in how.columns:
            continue
        column = column_of(table, how.columns[name])
        if _is_text(column):
            wrong = pc.any(pc.match_substring_regex(column, _FLOAT_ID)).as_py()
        else:
            wrong = pa.types.is_floating(column.type) and column.null_count < len(column)
        if wrong:
            raise CrosszError(
                f"{how.source}: column {how.columns[name]} ({name}) holds floats; 64-bit ids lose digits in a float: "
                "export the column as bigint or text"
            )


def numbers(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """A column of numbers or text as floats [n]; NaN where there is no number."""
    if _is_text(column):
        with contextlib.suppress(pa.ArrowInvalid):  # pandas reads more texts as numbers, in five times the time
            column = column.cast(pa.float64())
    return pd.to_numeric(column.to_pandas(), errors="coerce").to_numpy(float, na_value=np.nan)


def _is_text(column: pa.ChunkedArray | pa.Array) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _with_points(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column whose texts such as 18,5 are 18.5."""
    if not _is_text(column) or not pc.any(pc.match_substring(column, ",")).as_py():
        return column
    return pc.replace_substring_regex(column, r"^\s*([+-]?\d+),(\d+)\s*$", r"\1.\2")


def _degrees(column: pa.ChunkedArray, name: str, field: Field, source: str) -> pa.ChunkedArray:
    """Right ascension or declination in degrees. What cannot be read stays as it is, and is found malformed later."""
    unit = field.unit.strip().strip("\"'").lower()
    if _is_text(column):
        return _from_sexagesimal(_with_points(column), name, unit)
    if unit in ("", "deg", "degree", "degrees", "d", "deg_(j2000)", "degrees_north", "degrees_east"):
        return column
    try:
        factor = 15.0 if unit in ("h", "hr", "hour") else un.factor(field.unit, "deg")
    except ValueError as error:
        raise CrosszError(
            f"{source}: column {field.name} is in {field.unit}; positions are read in degrees, radians or hours"
        ) from error
    return pa.chunked_array([pa.array(numbers(column) * factor, from_pandas=True)])


def _from_sexagesimal(column: pa.ChunkedArray, name: str, unit: str) -> pa.ChunkedArray:
    """10:40:50.95 or 10 40 50.95 or 10h40m50.95s as degrees; right ascension in hours, unless its unit begins with d."""
    if not pc.any(pc.match_substring_regex(column, _SEPARATED)).as_py():
        return column
    text = column.to_pandas()
    parts = text.astype("string").str.extract(_SEXAGESIMAL)
    first, minutes, seconds = (pd.to_numeric(parts[number]).to_numpy(float, na_value=np.nan) for number in (1, 2, 3))
    value = first + minutes / 60 + seconds / 3600
    value[~((minutes < 60) & (seconds < 60))] = np.nan
    if name == "ra" and not unit.startswith("d"):
        value *= 15
    value[(parts[0] == "-").to_numpy(bool, na_value=False)] *= -1
    if np.isnan(value).all():
        return column
    return pa.chunked_array(
        [pa.array(np.where(np.isnan(value), text, [repr(float(one)) for one in value]), pa.string())]
    )


def _magnitudes(ours: Mapping[str, pa.ChunkedArray], how: Reading) -> dict[str, pa.ChunkedArray]:
    """The magnitudes and errors whose unit is not that of SDSS, converted."""
    converted = {}
    for number, band in enumerate(BANDS):
        error_name = f"psfMagErr_{band}"
        error = numbers(ours[error_name]) if error_name in ours else None
        error_unit = how.units.get(error_name)
        for kind in _MAGNITUDES:
            name = f"{kind}_{band}"
            unit, maggies = how.units.get(name, ("asinh", 1.0))
            if name not in ours or unit == "asinh":
                continue
            value = numbers(ours[name])
            sigma = np.full(len(value), np.nan) if error is None else error
            if error is not None and un.inverse_variance(how.columns[error_name], ""):
                sigma = np.where(error > 0, error, np.nan) ** -0.5
            elif error_unit and error_unit[0] == "flux" and unit == "flux":
                sigma = sigma * (error_unit[1] / maggies)
            elif error_unit and error_unit[0] != "flux" and unit == "flux":
                sigma = sigma * value * np.log(10) / 2.5
            magnitude, magnitude_error = un.to_asinh(value, sigma, unit, maggies, number)
            converted[name] = pa.chunked_array([pa.array(magnitude, from_pandas=True)])
            if error is not None:
                converted[error_name] = pa.chunked_array([pa.array(magnitude_error, from_pandas=True)])
    return converted


def check_needed(how: Reading, needed: Sequence[str]) -> None:
    """Return if the table has what an estimate needs: all columns of one band at least, and all that are of no band.

    Parameters
    ----------
    needed
        The columns that the networks read.

    Raises
    ------
    CrosszError
        The message suggests what --columns could say.
    """
    absent = [name for name in needed if name not in how.columns]
    other = [name for name in absent if name not in _NUMBERS]
    bands = [band for band in BANDS if not any(name in _NUMBERS and name.endswith(f"_{band}") for name in absent)]
    if other or (absent and not bands):
        kinds = dict.fromkeys(name.rpartition("_")[0] for name in absent)
        whole = [kind for kind in kinds if all(f"{kind}_{band}" in absent for band in BANDS)]
        short = dict.fromkeys(f"{kind}_*" if (kind := name.rpartition("_")[0]) in whole else name for name in absent)
        hint = f"name it: --columns {other[0]}=NAME" if other else suggestion(how.fields, absent)
        names = printable(", ".join(field.name for field in how.fields if field.name[-1:] != "]"), _NAMES)
        raise CrosszError(
            f"{how.source}: no column {', '.join(other or short)}, which these networks read; it has {names}; {hint}"
        )
    if absent:
        lost = [band for band in BANDS if band not in bands]
        log.warning(
            f"{how.source}: no column {', '.join(absent)}: "
            + (f"the bands {', '.join(lost)} count as missing" if lost[1:] else f"the band {lost[0]} counts as missing")
        )


def note_missing(table: pa.Table, how: Reading) -> None:
    """Log which values of magnitudes and errors count as missing: marks such as 99 and -9999, and text."""
    log_missing(missing_marks(table, how), how)


def missing_marks(table: pa.Table, how: Reading) -> Counter[str]:
    """How often each value stands for a missing magnitude, flux or error, in rows of the user's table."""
    marks: Counter[str] = Counter()
    for name in sorted(_NUMBERS & how.columns.keys()):
        if name.startswith("extinction"):
            continue
        column = _with_points(column_of(table, how.columns[name]))
        kinds = {how.units.get(f"{kind}_{name[-1]}", ("asinh",))[0] for kind in _MAGNITUDES}
        unit = "flux" if "flux" in kinds else "AB"  # an error without a unit has that of its flux
        outside = un.missing(numbers(column), unit, name.startswith("psfMagErr"))
        if not outside.any():
            continue
        odd = column.filter(pa.array(outside))
        filled = pc.fill_null(pc.cast(odd, pa.string()), "").to_numpy(zero_copy_only=False)
        wrong = filled[(filled != "") & (filled != "nan")].astype(str)
        marks.update(dict(zip(*(part.tolist() for part in np.unique(wrong, return_counts=True)), strict=True)))
    return marks


def log_missing(marks: Mapping[str, int], how: Reading) -> None:
    """Log what `missing_marks` found."""
    if marks:
        ordered = sorted(marks.items(), key=lambda pair: (-pair[1], pair[0]))
        shown = ", ".join(f"{text[:20]} ({count:,})" for text, count in ordered[:_SHOWN])
        more = f" and {len(ordered) - _SHOWN:,} other values" if len(ordered) > _SHOWN else ""
        log.info(f"{how.source}: {sum(marks.values()):,} value(s) count as missing magnitudes or errors: {shown}{more}")
