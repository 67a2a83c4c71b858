"""Reading a table of the user, whatever its format: all of its columns, as they are."""

import functools
import itertools
import logging
import math
import re
import sys
import xml.parsers.expat as expat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from crossz.catalog.formats import Field, layout, opened, with_bands
from crossz.catalog.units import check_unit
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, Refused
from crossz.core.text import printable

log = logging.getLogger(__name__)

_NULLS = ["null", "NULL"]
_CELLS, _FEWEST = 100, 1_000_000  # values that a VOTable may announce: for each of its bytes, and in any case
_LONGEST, _LEAST_ROWS = 5000, 1000  # mean bytes of a text in so many rows, and more
_DEEPEST = 100  # brackets in each other
_FIELDS = 1000  # a FITS table has up to 999 columns


def read_all(path: str | Path) -> pa.Table:
    """All columns of a table: CSV, TSV, text separated by ; or | or blanks, ECSV, IPAC, FITS, VOTable, Parquet; also by gzip.

    Text stays text, so that no id passes through a float. Units, UCDs and descriptions are metadata of the fields.

    Parameters
    ----------
    path
        The file; `-` is what comes through a pipe.

    Raises
    ------
    CrosszError
        It cannot be read, or has no rows. The message says what was found.
    """
    with opened(path) as (file, kind):
        table: pa.Table = _READERS[kind](file)
    if not len(table):
        raise CrosszError(f"{path}: no rows, only columns: {', '.join(table.column_names)}")
    return table


def fields_of(schema: pa.Schema) -> list[Field]:
    """The columns of a table that `read_all` gave, and those that `with_bands` adds."""
    parts = []
    for field in schema:
        said = {name.decode(): value.decode() for name, value in (field.metadata or {}).items()}
        parts.append(Field(field.name, *(said.get(name, "") for name in Field._fields[1:])))
    return with_bands(
        parts, [pa.types.is_fixed_size_list(kind) and kind.list_size == len(BANDS) for kind in schema.types]
    )


def column_of(table: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of a table by the name that `fields_of` gives."""
    if name in table.column_names:
        return table[name]
    array, _, band = name.removesuffix("]").rpartition("[")
    return pc.list_element(table[array], BANDS.index(band))


def with_fields(table: pa.Table, fields: list[Field]) -> pa.Table:
    """The table with the names, units, UCDs and descriptions of `fields`, one for each column."""
    made = []
    for kind, field in zip(table.schema.types, fields, strict=True):
        said = {name: value for name, value in zip(Field._fields[1:], field[1:], strict=True) if value}
        made.append(pa.field(field.name, kind, metadata=said or None))
    return pa.Table.from_arrays(table.columns, schema=pa.schema(made))


def check_fits(path: Path) -> None:
    """Return if the file has as many bytes as its headers say. Raises Refused otherwise: astropy would make up the rest."""
    from astropy.io import fits

    _check_headers(path)
    with fits.open(path, ignore_missing_end=False) as hdus:
        last = hdus[len(hdus) - 1].fileinfo()
    if last["datLoc"] + last["datSpan"] > path.stat().st_size:
        raise Refused(f"{path.stat().st_size:,} bytes, its headers say {last['datLoc'] + last['datSpan']:,}")


def _check_headers(path: Path) -> None:
    """Return if no header has more columns than FITS allows, for which astropy would take memory, or an odd unit."""
    from astropy.io import fits

    with open(path, "rb") as handle:
        while True:
            try:
                header = fits.Header.fromfile(handle)
                size = int(header.data_size_padded)
            except (OSError, EOFError):  # the end, or bytes behind the last HDU
                return
            if size < 0 or header.get("TFIELDS", 0) not in range(_FIELDS):
                raise Refused(f"a table with {printable(str(header.get('TFIELDS')), 20)} columns, or of {size} bytes")
            for unit in header["TUNIT*"].values():
                check_unit(str(unit))
            _check_width(*map(str, header["TDISP*"].values()))
            handle.seek(size, 1)


def _check_width(*texts: str) -> None:
    """Return if numbers may be shown so wide: astropy shows one of each column. Raises Refused otherwise."""
    if wide := [text for text in texts if re.search(r"\d{4}", text)]:
        raise Refused(f"a column is shown as '{printable(wide[0], 40)}', wider than a number is")


def check_votable(path: Path) -> None:
    """Return if a VOTable names no other file, has units that can be read, and no more values than its size allows.

    A library that reads it would open what it names, also in the network, and take memory for what it announces.

    Raises
    ------
    Refused
        It has a DOCTYPE, a STREAM with an address, or announces more rows and elements than it can hold.
    xml.parsers.expat.ExpatError
        It is no XML.
    """
    size, rows, cells = path.stat().st_size, 0, 0

    def begin(name: str, attributes: dict[str, str]) -> None:
        nonlocal rows, cells
        kind = name.rpartition(":")[2].lower()
        if kind == "stream" and any(key.rpartition(":")[2].lower() == "href" for key in attributes):
            raise Refused("a VOTable whose data lie elsewhere (STREAM href); save it with its data in it")
        if kind == "table":
            rows, cells = max(int(attributes.get("nrows", 0)), 1), 0
        elif kind == "field":
            check_unit(attributes.get("unit", ""))
            _check_width(attributes.get("width", ""), attributes.get("precision", ""))
            lengths = re.findall(r"\d+", attributes.get("arraysize", ""))
            cells += math.prod(int(length) for length in lengths[:9])
        if rows * cells > max(_CELLS * size, _FEWEST):
            raise Refused(f"it announces {rows * cells:,} values in {size:,} bytes")

    def doctype(*_: object) -> None:
        raise Refused("a VOTable with a DOCTYPE; save it anew without")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.StartDoctypeDeclHandler = begin, doctype
    with open(path, "rb") as handle:
        parser.ParseFile(handle)


def note_last_line(path: Path) -> None:
    """Log if the last line of a table of text has no end."""
    with open(path, "rb") as handle:
        handle.seek(-1, 2)
        if handle.read(1) not in b"\r\n":
            log.warning(
                f"{path.name}: its last line has no end; if its download was cut, its last value may be cut, too"
            )


def _read_text(path: Path) -> pa.Table:
    note_last_line(path)
    return pa.concat_tables(text_batches(path, None))


def text_batches(path: Path, rows: int | None) -> Iterator[pa.Table]:
    """The rows of a table of text, `rows` at a time where its separator is a blank, else some thousands; None: all at once."""
    plan = layout(path)
    names = [field.name for field in plan.fields]
    if plan.separator == " ":
        import pandas as pd  # pyarrow takes one character for a separator

        with pd.read_csv(
            path, sep=r"\s+", names=names, skiprows=plan.skip, dtype=str, comment="#", keep_default_na=False, chunksize=rows or sys.maxsize
        ) as parts:  # fmt: skip
            for part in parts:
                columns = [pa.array(part.iloc[:, number], pa.string()) for number in range(len(names))]
                yield with_fields(pa.table(columns, names), plan.fields)
        return
    numbered = [str(number) for number in range(len(names))]  # two columns of one name are a matter of `naming`
    convert = pa.csv.ConvertOptions(
        column_types=dict.fromkeys(numbered, pa.string()), strings_can_be_null=True, null_values=_NULLS
    )
    parse = pa.csv.ParseOptions(
        delimiter=plan.separator,
        invalid_row_handler=lambda row: "skip" if row.text.lstrip().startswith("#") else "error",
    )
    read = pa.csv.ReadOptions(column_names=numbered, skip_rows=plan.skip)
    if rows is None:
        yield with_fields(pa.csv.read_csv(path, read, parse, convert), plan.fields)
        return
    with pa.csv.open_csv(path, read, parse, convert) as reader:
        for part in reader:
            yield with_fields(pa.Table.from_batches([part]), plan.fields)


def _read_parquet(path: Path) -> pa.Table:
    table = of_parquet(pq.read_table(path, read_dictionary=texts_of(path)))
    # What pandas writes for itself would be applied again to a table with other columns.
    rest = {key: value for key, value in (table.schema.metadata or {}).items() if key != b"pandas"}
    return table.replace_schema_metadata(rest or None)


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
    UnicodeDecodeError
        Words about a column are not UTF-8.
    """
    for field in table.schema:
        for word in (field.metadata or {}).values():
            check_unit(word.decode())
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type) and _is_other_text(column.type):
            size = sum(_text_size(chunk) for chunk in column.chunks)
            if size > _LONGEST * max(len(table), _LEAST_ROWS):
                raise Refused(f"column {printable(name, 40)}: texts of {size:,} bytes in {len(table):,} rows")
    fields = [field.with_type(pa.string()) if _is_other_text(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields, table.schema.metadata))


def _text_size(categories: pa.DictionaryArray) -> int:
    lengths = pc.binary_length(categories.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(categories.indices)).as_py() or 0)


def _is_other_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_other_text(kind.value_type) or pa.types.is_string(kind.value_type)
    return bool(pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def fits_fields(path: Path) -> tuple[int, list[Field]]:
    """The number of the first table of a FITS file, and its columns. Raises Refused if it has none."""
    from astropy.io import fits

    _check_headers(path)
    with fits.open(path) as hdus:
        number = next((number for number, hdu in enumerate(hdus) if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)), None)  # fmt: skip
        if number is None:
            images = any(hdu.header.get("NAXIS", 0) for hdu in hdus)
            raise Refused("it has images and no table" if images else "no table")
        header = hdus[number].header
        said = [
            Field(name, *(str(header.get(f"{key}{column}", "")) for key in ("TUNIT", "TUCD", "TCOMM")))
            for column, name in enumerate(hdus[number].columns.names, 1)
        ]
    return number, said


def _read_fits(path: Path) -> pa.Table:
    from astropy.table import Table  # half a second, which no other reader should pay

    check_fits(path)
    number, said = fits_fields(path)
    return with_fields(_arrow(Table.read(path, hdu=number, format="fits")), said)


def fits_batches(path: Path, rows: int) -> Iterator[pa.Table]:
    """The rows of a FITS table, `rows` at a time."""
    from astropy.io import fits
    from astropy.table import Table

    check_fits(path)
    number, said = fits_fields(path)
    with fits.open(path) as hdus:
        count = hdus[number].header["NAXIS2"]
    for start in range(0, count, rows):
        with fits.open(path) as hdus:  # anew: pages of the file that were read stay in memory while it is open
            part = type(hdus[number])(hdus[number].data[start : start + rows], hdus[number].header)
            yield with_fields(_arrow(Table.read(part, format="fits")), said)


def _read_astropy(path: Path, kind: str) -> pa.Table:
    from astropy.table import Table

    if kind == "votable":
        check_votable(path)
    elif kind == "ecsv":
        _check_ecsv(path)
    return of_astropy(Table.read(path, format=kind if kind == "votable" else f"ascii.{kind}"))


def of_astropy(table: Any) -> pa.Table:
    """An Arrow table of one of astropy, with its units, UCDs and descriptions; bytes become text in `table`, too."""
    fields = []
    for name in table.colnames:
        column = table[name]
        said = ((getattr(column, "meta", None) or {}).get("ucd"), column.info.description)
        texts = [text if isinstance(text, str) else "" for text in said]  # a header of YAML may hold anything
        fields.append(Field(name, str(column.info.unit or ""), *texts))
    return with_fields(_arrow(table), fields)


def _check_ecsv(path: Path) -> None:
    """Return if the YAML in the header of an ECSV file, and its units, can be read in time. Raises Refused otherwise."""
    import yaml

    with open(path, encoding="utf-8") as lines:
        head = "".join(line[2:] for line in itertools.takewhile(lambda line: line.startswith("#"), lines))
    depth = itertools.accumulate("[{".count(char) - "]}".count(char) for char in head)
    if max(depth, default=0) > _DEEPEST:
        raise Refused(f"its header has more than {_DEEPEST} brackets in each other")
    key = ""
    for event in yaml.parse(head):
        value = str(getattr(event, "value", ""))
        check_unit(value)
        if key == "format":
            _check_width(value if isinstance(event, yaml.ScalarEvent) else "1000")
        key = value


def _arrow(table: Any) -> pa.Table:
    """An Arrow table of one of astropy. A masked value, and an empty float, is null."""
    table.convert_bytestring_to_unicode()
    return pa.Table.from_arrays([_array(table[name]) for name in table.colnames], names=list(table.colnames))


def _array(column: Any) -> pa.Array:
    mask = np.ma.getmaskarray(column) if hasattr(column, "mask") else None
    values = np.ma.getdata(column) if mask is not None else np.asarray(getattr(column, "value", column))
    values = np.asarray(values)
    if values.dtype.kind == "O":
        plain = [None if np.ma.is_masked(value) and np.ndim(value) == 0 else value for value in column.tolist()]
        return pa.array([value.decode() if isinstance(value, bytes) else value for value in plain])
    if values.dtype.kind in "US":
        values = values.astype(object)
    elif values.dtype.kind not in "biuf":
        return pa.array([str(value) for value in values])
    else:
        values = values.astype(values.dtype.newbyteorder("="))
    if values.ndim > 1:
        rows = values.reshape(len(values), -1)
        return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    return pa.array(values, mask=mask)


_READERS: dict[str, Callable[[Path], pa.Table]] = {
    "text": _read_text,
    "parquet": _read_parquet,
    "fits": _read_fits,
    **{kind: functools.partial(_read_astropy, kind=kind) for kind in ("votable", "ecsv", "ipac", "mrt")},
}
