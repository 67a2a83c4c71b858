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
from crossz.catalog.parquet import of_parquet, row_bytes, texts_of
from crossz.catalog.units import check_unit
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, Refused
from crossz.core.text import printable

log = logging.getLogger(__name__)

_NULLS = ["null", "NULL"]
_CELLS, _FEWEST = 100, 1_000_000  # values that a VOTable may announce: for each of its bytes, and in any case
_DEEPEST = 100  # brackets in each other
_FIELDS = 1000  # a FITS table has up to 999 columns
_HEADER = 1 << 18  # characters of the header of an ECSV or IPAC table, which is read slowly


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
        _check_cells(rows * cells, size)

    def doctype(*_: object) -> None:
        raise Refused("a VOTable with a DOCTYPE; save it anew without")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.StartDoctypeDeclHandler = begin, doctype
    with open(path, "rb") as handle:
        parser.ParseFile(handle)


def _check_cells(values: int, size: int) -> None:
    """Return if so many values, which a header announces, can be in a file of `size` bytes. Raises Refused otherwise."""
    if values > max(_CELLS * size, _FEWEST):
        raise Refused(f"it announces {printable(f'{values:,}', 40)} values in {size:,} bytes")


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
    row_bytes(path)
    table = of_parquet(pq.read_table(path, read_dictionary=texts_of(path)))
    # What pandas writes for itself would be applied again to a table with other columns.
    rest = {key: value for key, value in (table.schema.metadata or {}).items() if key != b"pandas"}
    return table.replace_schema_metadata(rest or None)


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
    elif kind == "ipac":
        _check_ipac(path)
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
    """Return if the YAML in the header of an ECSV file can be read in time, and what it announces in memory. Raises Refused otherwise."""
    import yaml

    lines, rows = _head_of(path, "#")
    head = "".join(line[2:] for line in lines)
    depth = itertools.accumulate("[{".count(char) - "]}".count(char) for char in head)
    if max(depth, default=0) > _DEEPEST:
        raise Refused(f"its header has more than {_DEEPEST} brackets in each other")
    key, cells = "", 0
    for event in yaml.parse(head):
        value = str(getattr(event, "value", ""))
        check_unit(value)
        if key == "datatype":
            _check_width(value)
        elif key == "format":
            _check_width(value if isinstance(event, yaml.ScalarEvent) else "1000")
        elif key == "subtype":
            cells += math.prod(map(int, re.findall(r"\d+", value.partition("[")[2])[:9]))
        key = value
    _check_cells(rows * cells, path.stat().st_size)


def _check_ipac(path: Path) -> None:
    """Return if the header of an IPAC table is no longer than it should be, and has no odd unit. Raises Refused otherwise."""
    for line in _head_of(path, "\\|")[0]:
        if line.startswith("|"):
            if line.count("|") > _FIELDS:
                raise Refused(f"a table with {line.count('|'):,} columns")
            for text in line.split("|"):
                check_unit(text)


def _head_of(path: Path, marks: str) -> tuple[list[str], int]:
    """The first lines, which begin with one of `marks`, and the number of the others. Raises Refused if they are too long."""
    head: list[str] = []
    size = 0
    with open(path, encoding="utf-8") as lines:
        while (line := lines.readline(_HEADER + 1)) and line[0] in marks:
            head.append(line)
            if (size := size + len(line)) > _HEADER:
                raise Refused(f"its header has more than {_HEADER:,} characters")
        return head, bool(line) + sum(1 for _ in lines)


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
