"""The table that a user gets: all columns of their own first, then ours, with what each is, and what it was made with."""

import json
import logging
import operator
import os
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossz.apply.output_columns import described
from crossz.apply.pdf_columns import GRID_IN_WORDS, unpacked, with_pdf
from crossz.core.constants import OK
from crossz.core.version import VERSION

log = logging.getLogger(__name__)

OURS = b"crossz"
"""Key of a field's metadata: the name by which crossz knows the column."""
HEADER = b"crossz.header"
"""Key of a table's metadata: what it was made with, as JSON."""
PREFIX = "crossz_"
"""Stands before the name of a column of ours that the user's table has, too."""
SYNTHETIC = "SYNTHETIC NETWORK: it was trained on an invented sky; its estimates say nothing about real objects"
_FLAGS = {
    "not_quasar": "probably no quasars",
    "z_at_end": "at an end of the redshifts of the training",
    "photometry_suspect": "with suspect photometry",
    "faint": "faint",
    "edge": "at the edge of a frame",
    "missing": "without some band",
}
"""In words, for the summary."""
_PLACE = ("objID", "specObjID", "ra", "dec")
_INTEGER = r"^\s*-?(0|[1-9]\d{0,18})\s*$"
_DECIMAL = r"^-?(0|[1-9]\d{0,9})\.\d{1,30}$"
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$|^\s*[+-]?([nN][aA][nN]|[iI]nf)\s*$"


def header_of(
    facts: Mapping[str, Any],
    fingerprint: str | None,
    survey: str | None = None,
    ensemble: Mapping[str, Any] | None = None,
) -> dict[str, str]:
    """What a table of estimates says of its making: network, fingerprint, version, date, training range, scores, warnings.

    The date is that of SOURCE_DATE_EPOCH, the agreed variable for builds that can be repeated to the byte. Without it
    there is none: equal calls give equal bytes, and the file system knows when it was written.

    Parameters
    ----------
    facts
        The content of bundle.json; empty for the networks of a run.
    fingerprint
        That of the bundle.
    survey
        Of the networks of a run: where their training data came from.
    ensemble
        Of the networks of a run: the content of the JSON file of `scores.ensemble`.
    """
    header = {"crossz": VERSION}
    if facts:
        header["network"] = f"{facts.get('dataset')}-{facts.get('network')}"
    if fingerprint:
        header["fingerprint"] = fingerprint
    if (epoch := os.environ.get("SOURCE_DATE_EPOCH", "")).isdecimal():
        header["date"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch)))
    domain = facts.get("domain", {})
    z = domain.get("features", {}).get("z")
    if z:
        header["training"] = f"{domain['objects']:,} objects at redshifts {z[0]:g} to {z[-1]:g}"
    if text := scores_in_words(facts.get("ensemble", ensemble or {})):
        header["scores"] = text
    if is_synthetic(facts, survey):
        header["warning"] = SYNTHETIC
    return header


def scores_in_words(ensemble: Mapping[str, Any]) -> str:
    """How good the networks of all splits are together, by input pattern, on objects that they were not trained on."""
    names = {"rmse": "RMSE of dz", "sigma_nmad": "sigma_NMAD", "accuracy": "accuracy"}
    parts = []
    for inputs, scores in ensemble.get("scores", {}).items():
        if inputs == "phot_gen+img_gen":  # no new object gets it
            continue
        values = [f"{text} {scores[name]:.3f}" for name, text in names.items() if name in scores]
        parts.append(f"{inputs}: {', '.join(values)} on {scores.get('n', 0):,} test objects")
    return "; ".join(parts)


def is_synthetic(facts: Mapping[str, Any], survey: str | None = None) -> bool:
    """Whether networks were trained on the synthetic sky."""
    return (facts["made"].get("survey") if "made" in facts else survey) == "embedded"


class _Text(NamedTuple):
    """What is true of all values of a column of text, empty ones apart."""

    known: bool = False
    """Of any of them: there is one."""
    padded: bool = False
    """Of any of them: it begins with a zero that a number would lose."""
    long: bool = False
    """Of any of them: it has more digits than a float."""
    integers: bool = True
    numbers: bool = True
    fits: bool = True
    """Integers of 64 bits."""

    def kind(self) -> pa.DataType:
        if self.known and self.integers:
            return pa.int64() if self.fits else pa.string()
        return pa.float64() if self.known and self.numbers and not (self.padded or self.long) else pa.string()


def column_types(tables: Iterable[pa.Table]) -> dict[str, pa.DataType]:
    """The types in which the user's columns are written: what holds numbers alone is one, other text stays.

    Ids with leading zeros stay text, and integers that no 64 bits hold.

    Parameters
    ----------
    tables
        All rows of the table, in one piece or in several.
    """
    types: dict[str, pa.DataType] = {}
    texts: dict[str, _Text] = {}
    for table in tables:
        for name, column in zip(table.column_names, table.columns, strict=True):
            types[name] = column.type
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                before, now = texts.get(name, _Text()), _text_of(column)
                texts[name] = _Text(*map(operator.or_, before[:3], now[:3]), *map(operator.and_, before[3:], now[3:]))
    return types | {name: text.kind() for name, text in texts.items()}


def _text_of(column: pa.ChunkedArray) -> _Text:
    if pc.all(pc.match_substring_regex(column, _DECIMAL)).as_py():  # one search of most columns, instead of four
        return _Text(True, integers=False, fits=False)
    known = column.filter(pc.not_equal(pc.utf8_trim_whitespace(column), ""))
    if not len(known):
        return _Text()
    integers = pc.all(pc.match_substring_regex(known, _INTEGER)).as_py()
    numbers = integers or pc.all(pc.match_substring_regex(known, _NUMBER)).as_py()
    padded = numbers and not integers and pc.any(pc.match_substring_regex(known, r"^\s*[+-]?0\d")).as_py()
    long = numbers and pc.any(pc.match_substring_regex(known, r"^\s*\d{17,}\s*$")).as_py()
    return _Text(True, padded, long, integers, numbers, integers and _casts(known))


def _casts(column: pa.ChunkedArray) -> bool:
    try:
        pc.utf8_trim_whitespace(column).cast(pa.int64())
    except pa.ArrowInvalid:
        return False
    return True


def typed(given: pa.Table, types: Mapping[str, pa.DataType]) -> pa.Table:
    """The user's columns in the types that `column_types` gave, with their units and UCDs."""
    columns = []
    for name, column in zip(given.column_names, given.columns, strict=True):
        if column.type != types[name]:
            if not pa.types.is_string(types[name]):
                text = pc.utf8_trim_whitespace(column)
                column = pc.if_else(pc.equal(text, ""), None, text)
            column = column.cast(types[name])
        columns.append(column)
    fields = [field.with_type(types[field.name]) for field in given.schema]
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def own_places(given: pa.Table, columns: Mapping[str, str], whole: bool = True) -> dict[str, str]:
    """Ids and positions that the user's table has itself, as we would write them: our name -> theirs.

    Parameters
    ----------
    given
        The user's columns, `typed`.
    columns
        Our name -> theirs (`catalog.lists.Reading`).
    whole
        Whether the archive filled no gaps in them.
    """
    own = {}
    for ours in _PLACE:
        if (theirs := columns.get(ours)) is None or theirs not in given.column_names:
            continue
        field = given.schema.field(theirs)
        unit = (field.metadata or {}).get(b"unit", b"deg").lower()
        number = pa.types.is_floating(field.type) and unit in (b"deg", b"degree", b"degrees")
        if (ours in ("ra", "dec") and number) or (ours.endswith("ID") and (whole or not given[theirs].null_count)):
            own[ours] = theirs
    return own


def answered(
    given: pa.Table,
    found: pd.DataFrame,
    own: Mapping[str, str],
    header: Mapping[str, str],
    arrays: Mapping[str, pa.Array] | None = None,
) -> pa.Table:
    """The user's columns, and ours behind them.

    Parameters
    ----------
    given
        All columns of the user's table, or of some of its rows.
    found
        What `predict` gave for these rows.
    own
        What `own_places` gave: columns of ours that are not written a second time.
    header
        What `header_of` gave.
    arrays
        Columns of ours whose cells are arrays, by name (`pdf_columns.with_pdf`).
    """
    lists = arrays or {}
    names = [name for name in map(str, found) if name != "row" and name not in own] + list(lists)
    names.sort(key=lambda name: described(name)[0])
    theirs = {ours: name for name, ours in own.items()}
    columns, fields = list(given.columns), []
    for field in given.schema:
        mark = {OURS: theirs[field.name].encode()} if field.name in theirs else {}
        fields.append(field.with_metadata((field.metadata or {}) | mark) if mark else field)
    taken = [field.name.lower() for field in fields]
    for name in names:
        array = lists[name] if name in lists else _array(found[name], name)
        written = _free(name, taken)
        taken.append(written.lower())
        columns.append(array)
        fields.append(pa.field(written, array.type, metadata=_metadata(name)))
    return pa.Table.from_arrays(columns, schema=pa.schema(fields, {HEADER: json.dumps(header)}))


def finished(
    given: pa.Table,
    columns: Mapping[str, str],
    found: pd.DataFrame,
    header: Mapping[str, str],
    *,
    text: bool = False,
    whole: bool = True,
    pdf: str = "mixture",
) -> pa.Table:
    """The table to write, of a user's table and what `predict` gave for its rows.

    Parameters
    ----------
    given, columns
        The user's columns, and our name -> theirs.
    found, header
        As in `answered`.
    text
        Whether text stays as it is, for a file of text.
    whole
        As in `own_places`.
    pdf
        How PDFs are written: one of `pdf_columns.FORMS`.
    """
    found, arrays = with_pdf(found, pdf, text)
    if "pdf" in arrays:
        header = {**header, "pdf_z": GRID_IN_WORDS}
    written = typed(given, column_types([given]))
    own = own_places(written, columns, whole)
    if prefixed := clashes(given.column_names, [name for name in (*map(str, found), *arrays) if name not in own]):
        log.info(f"the table has {', '.join(prefixed)} itself: ours begin with {PREFIX}")
    return answered(given if text else written, found, own, header, arrays)


def clashes(given: Collection[str], found: Collection[str]) -> list[str]:
    """The columns of ours that are written with a prefix, because the user's table has them, too."""
    theirs = {name.lower() for name in given}
    return [name for name in found if name.lower() in theirs and name != "row"]


def _free(name: str, taken: Collection[str]) -> str:
    """`name`, or with a prefix that no other column has."""
    written, number = name, 1
    while written.lower() in taken:
        written = f"{PREFIX if number == 1 else f'crossz{number}_'}{name}"
        number += 1
    return written


def _metadata(name: str) -> dict[bytes, bytes]:
    """The metadata of a field of ours."""
    what = described(name)[1]
    said = {"unit": what.unit, "ucd": what.ucd, "description": what.meaning}
    return {OURS: name.encode()} | {key.encode(): value.encode() for key, value in said.items() if value}


def _array(column: pd.Series, name: str) -> pa.Array:
    """A column of ours in its type, whatever its rows hold."""
    what = described(name)[1]
    if pa.types.is_string(what.kind):
        array = pa.array(column.astype("string"), pa.string())
    elif pa.types.is_integer(what.kind):
        if column.dtype == object or pd.api.types.is_string_dtype(column.dtype):
            column = pd.to_numeric(
                column.where(column.astype("string").str.fullmatch(r"\d{1,18}|[1-8]\d{18}").fillna(False))
            )
        array = pa.array(column.astype("Int64"), what.kind)
    elif pa.types.is_boolean(what.kind):
        array = pa.array(column.astype(bool), what.kind)
    else:
        array = pa.array(
            pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan), what.kind, from_pandas=True
        )
    return array


def header_in(schema: pa.Schema) -> dict[str, str]:
    """What a table says of its making; nothing if it does not."""
    content: dict[str, str] = json.loads((schema.metadata or {}).get(HEADER, b"{}"))
    return content


def frame_of(table: pa.Table, names: Collection[str] | None = None) -> pd.DataFrame:
    """Our columns of a table that `answered` made, or those of `names`, under our names; PDFs as weight_0, weight_1 ..."""
    known = ((field.metadata or {}).get(OURS, b"").decode() for field in table.schema)
    ours = {name: place for place, name in enumerate(known) if name and (names is None or name in names)}
    frame = pa.table({name: table[place] for name, place in ours.items()}).to_pandas()
    for name in ("objID", "duplicate_of"):  # pandas would make floats of integers with gaps
        if name in ours and pa.types.is_integer(table[ours[name]].type):
            frame[name] = table[ours[name]].to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    arrays = {name: np.stack(frame.pop(name).to_numpy()) for name in list(frame) if name.startswith("pdf_")}
    return pd.concat([frame, pd.DataFrame(unpacked(arrays), frame.index)], axis=1)


def read_answer(path: str | Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Our columns of a Parquet file that was written of new objects, under our names, with `row`; and its header."""
    table = pq.read_table(path)
    frame = frame_of(table)
    frame.insert(0, "row", np.arange(len(frame)))
    return frame, header_in(table.schema)


def summary(*counts: Mapping[str, pd.Series]) -> str:
    """One line about what `counted` gave: how many targets, their statuses and inputs, and how many have each flag."""
    total = {
        name: pd.concat([part[name] for part in counts])
        .groupby(level=0)
        .sum()
        .sort_values(ascending=False, kind="stable")
        for name in counts[0]
    }
    of_status = ", ".join(f"{name} {count:,}" for name, count in total["status"].items())
    inputs = ", ".join(f"{name} {count:,}" for name, count in total["inputs"].items() if name)
    flags = [f"{total['out_of_domain'].get(True, 0):,} out of the training domain"]
    flags += [f"{total[name].get(True, 0):,} {words}" for name, words in _FLAGS.items() if total[name].get(True, 0)]
    return f"{total['status'].sum():,} targets: {of_status}; from {inputs or 'nothing'}; {', '.join(flags)}"


def counted(table: pd.DataFrame) -> dict[str, pd.Series]:
    """How often each value of status, inputs, out_of_domain and of the flags of _FLAGS stands in a table of `predict`."""
    counts = {name: table[name].value_counts() for name in ("status", "inputs", "out_of_domain")}
    lacks = (table["missing"] != "") & (table["status"] == OK)
    flags = {name: table[name] for name in _FLAGS if name in table} | {"missing": lacks}
    return counts | {name: flags[name].value_counts() if name in flags else pd.Series(dtype=int) for name in _FLAGS}
