"""Writing a table with units, descriptions and UCDs: FITS, VOTable, ECSV, CSV, Parquet."""

import csv
import io
import json
import re
import xml.etree.ElementTree as xml
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossz.apply.answer import HEADER, OURS, header_in
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.core.text import printable

_NONE = np.iinfo(np.int64).min  # of an integer in FITS and VOTable, which have no other empty cell
_KEYWORDS = {"crossz": "CROSSZ", "network": "NETWORK", "fingerprint": "FPRINT", "date": "DATE", "training": "TRAINING", "scores": "SCORES", "warning": "WARNING", "pdf_z": "PDFZ", "classes": "CLASSES"}  # fmt: skip
_XML_KINDS = {"bool": "boolean", "int8": "short", "uint8": "unsignedByte", "int16": "short", "uint16": "int", "int32": "int", "uint32": "long", "int64": "long", "float": "float", "double": "double"}  # fmt: skip
_SCALAR = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean)
_NO_XML = "[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]"  # characters that no XML has
_LONGEST_FITS_NAME = 68  # a quote counts twice
_FITS_BLOCK = 2880
_AT_ONCE = 50_000  # rows whose text is in memory


def write_table(table: pa.Table, path: str | Path) -> None:
    """Write a table that `answer.answered` made, in the format of the suffix. A file is complete, or is not there.

    Parameters
    ----------
    table
        Its fields' metadata are units, UCDs and descriptions; its own are the header.
    path
        Its suffix is one of WRITERS.

    Raises
    ------
    CrosszError
        The format has no such column name (`check_names`).
    """
    path = Path(path)
    check_names(table.column_names, path)
    with atomic_path(path) as temporary:
        WRITERS[path.suffix](table, temporary)


def check_names(names: Iterable[str], path: Path) -> None:
    """Refuse the columns of a user's table that the format of `path` cannot have.

    Raises
    ------
    CrosszError
        FITS has no names of more than 68 characters, ECSV none of two lines, and only CSV and Parquet have blank ones.
    """
    for name in names:
        if path.suffix == ".fits" and len(_fits_name(name).replace("'", "''")) > _LONGEST_FITS_NAME:
            raise CrosszError(
                f"{path}: column {printable(name, 40)}...: FITS has no name so long; write .parquet or .csv"
            )
        blank = path.suffix in (".fits", ".vot", ".ecsv") and not name.strip()
        if blank or (path.suffix == ".ecsv" and len(name.splitlines()) > 1):
            said = printable(name, 40).strip() or "without a name"
            raise CrosszError(f"{path}: column {said}: {path.suffix} has no such name; write .parquet or .csv")


def _fits_name(name: str) -> str:
    """In printable ASCII."""
    text = name.encode("ascii", "backslashreplace").decode()
    return re.sub(r"[\0-\x1f\x7f]", lambda found: f"\\x{ord(found[0]):02x}", text)


def _write_parquet(table: pa.Table, path: Path) -> None:
    with open(path, "wb") as handle:
        pq.write_table(table.replace_schema_metadata(parquet_metadata(table.schema)), handle)


def parquet_metadata(schema: pa.Schema) -> dict[bytes, bytes]:
    """The metadata of a Parquet file: the header, and a VOTable that describes the columns (IVOA Note VOParquet 1.0)."""
    content = {b"IVOA.VOTable-Parquet.version": b"1.0", b"IVOA.VOTable-Parquet.content": _votable_of(schema)}
    return {HEADER: json.dumps(header_in(schema)).encode(), b"pandas": _for_pandas(schema)} | content


def _for_pandas(schema: pa.Schema) -> bytes:
    """What pandas must know to read integers with gaps as integers: an id would lose digits in a float."""
    columns = [
        {"name": field.name, "field_name": field.name, "pandas_type": "int64", "numpy_type": "Int64", "metadata": None}
        for field in schema
        if field.type == pa.int64() and field.metadata and OURS in field.metadata
    ]
    content = {"index_columns": [], "column_indexes": [], "columns": columns, "pandas_version": "3.0.0"}
    return json.dumps(content).encode()


def _votable_of(schema: pa.Schema) -> bytes:
    """The words of a table as a VOTable without data."""
    root = xml.Element("VOTABLE", version="1.4", xmlns="http://www.ivoa.net/xml/VOTable/v1.3")
    resource = xml.SubElement(root, "RESOURCE", type="results")
    for key, value in header_in(schema).items():
        xml.SubElement(resource, "INFO", name=key, value=_xml_text(value))
    target = xml.SubElement(resource, "TABLE")
    for field in schema:
        said, kind, array = _said(field), field.type, pa.types.is_fixed_size_list(field.type)
        name = _XML_KINDS.get(str(kind.value_type if array else kind), "unicodeChar")
        shape = {} if not array and name != "unicodeChar" else {"arraysize": str(kind.list_size) if array else "*"}
        given: dict[str, str] = {key: _xml_text(said[key]) for key in ("unit", "ucd") if key in said}
        element = xml.SubElement(target, "FIELD", {"name": _xml_text(field.name), "datatype": name, **shape, **given})
        if "description" in said:
            xml.SubElement(element, "DESCRIPTION").text = _xml_text(said["description"])
    return xml.tostring(root, encoding="utf-8", xml_declaration=True)


def _xml_text(text: str) -> str:
    return re.sub(_NO_XML, " ", text)


def _said(field: pa.Field) -> dict[str, str]:
    """Unit, UCD and description of a column."""
    return {key.decode(): value.decode() for key, value in (field.metadata or {}).items() if key != OURS}


def _lines(
    table: pa.Table, cells: Callable[[pa.ChunkedArray], Any], between: str, end: str, begin: str = ""
) -> Iterator[bytes]:
    """The rows of a table as lines of text, many in one piece, from the cells of its columns."""
    for start in range(0, len(table), _AT_ONCE):
        columns = [cells(column) for column in table.slice(start, _AT_ONCE).columns]
        columns[0] = pc.binary_join_element_wise(begin, columns[0], "")
        columns[-1] = pc.binary_join_element_wise(columns[-1], end, "")
        lines = pc.binary_join_element_wise(*columns, between) if len(columns) > 1 else columns[0]
        yield "".join(lines.to_pylist()).encode()


def _text(column: pa.ChunkedArray, numbers: str = "") -> pa.ChunkedArray:
    """The cells of a column as text: `numbers` is that of NaN, and a missing value is empty."""
    kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
        return pc.fill_null(column.cast(pa.string()), numbers)
    if any(is_kind(kind) for is_kind in (*_SCALAR, pa.types.is_string, pa.types.is_large_string)):
        return pc.fill_null(column.cast(pa.string()), "")
    if _is_matrix(column):
        return _joined_arrays(column, " ")
    rows = python_cells(column)
    texts = [" ".join(map(str, row)) if isinstance(row, list) else "" if row is None else str(row) for row in rows]
    return pa.chunked_array([pa.array(texts, pa.string())])


def python_cells(column: pa.ChunkedArray | pa.Array) -> list[Any]:
    """The cells of a column. Python has no dates beyond the year 9999, and no spans so long: these are text, and integers.

    Raises
    ------
    CrosszError
        Such a date is part of an array or of another cell of several values. Or dates have a time zone that is none.
    """
    try:
        if pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type):
            column = column.cast(pa.int64() if pa.types.is_duration(column.type) else pa.string())
        cells: list[Any] = column.to_pylist()
    except (OverflowError, pa.ArrowInvalid) as error:
        raise CrosszError(f"a column of {column.type} holds dates that cannot be written; leave it out") from error
    return cells


def _is_matrix(column: pa.ChunkedArray | pa.Array) -> bool:
    """Whether its cells are arrays of floats, all of one length."""
    kind = column.type
    return bool(pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type) and not column.null_count)


def _joined_arrays(column: pa.ChunkedArray, between: str) -> pa.ChunkedArray:
    """The numbers of each array as one text."""
    parts = []
    for chunk in column.chunks:
        numbers = pc.fill_null(_text(pa.chunked_array([chunk.flatten()]), "NaN").combine_chunks(), "NaN")
        ends = pa.array(np.arange(len(chunk) + 1, dtype=np.int32) * column.type.list_size)
        parts.append(pc.binary_join(pa.ListArray.from_arrays(ends, numbers), between))
    return pa.chunked_array(parts, pa.string())


def _is_text(column: pa.ChunkedArray) -> bool:
    return not any(is_kind(column.type) for is_kind in _SCALAR)


def _write_csv(table: pa.Table, path: Path) -> None:
    with open(path, "wb") as handle:
        handle.write(csv_head(table))
        handle.writelines(csv_rows(table))


def csv_head(table: pa.Table) -> bytes:
    """The first line of a CSV: the names of the columns."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([*table.column_names, *_network_column(table)])
    return line.getvalue().encode()


def csv_rows(table: pa.Table) -> Iterator[bytes]:
    """The other lines of a CSV, many in one piece."""
    for name, text in _network_column(table).items():
        table = table.append_column(name, pa.array([text] * len(table), pa.string()))
    return _lines(table, csv_cells, ",", "\n")


def _network_column(table: pa.Table) -> dict[str, str]:
    """A column with what the header says: a comment in front of a CSV would break most readers."""
    said = header_in(table.schema)
    made = "; ".join(said[key] for key in ("network", "fingerprint", "warning") if key in said)
    return {"crossz_network": made} if made and "crossz_network" not in table.column_names else {}


def csv_cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The cells of a CSV, quoted where they must be. A text that a spreadsheet would take for a formula gets an apostrophe."""
    text = _text(column)
    if _is_text(column):
        formula = pc.match_substring_regex(text, r"^([=+@\t\r]|-$|-[^0-9.])")
        text = pc.if_else(formula, pc.binary_join_element_wise("'", text, ""), text)
        text = pc.if_else(pc.match_substring_regex(text, r'[",\n\r]'), _quoted(text), text)
    return text


def _quoted(text: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")


def _write_votable(table: pa.Table, path: Path) -> None:
    before, mark, after = _votable_of(table.schema).partition(b"</TABLE>")
    with open(path, "wb") as handle:
        handle.write(before + b"\n<DATA><TABLEDATA>\n")
        handle.writelines(_lines(table, _xml_cells, "</TD><TD>", "</TD></TR>\n", "<TR><TD>"))
        handle.write(b"</TABLEDATA></DATA>\n" + mark + after + b"\n")


def _xml_cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = _text(column)
    if _is_text(column):
        text = pc.replace_substring_regex(text, _NO_XML, " ")
        for char, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = pc.replace_substring(text, char, entity)
    return text


def _astropy(table: pa.Table, ascii_only: bool = False) -> Any:
    """The columns as a table of astropy, without units."""
    from astropy.table import MaskedColumn, Table

    made = Table()
    for field, column in zip(table.schema, table.columns, strict=True):
        values, mask = _values(column, ascii_only)
        name = _fits_name(field.name) if ascii_only else field.name
        if mask is None:
            made[name] = values
        else:
            made[name] = MaskedColumn(values, mask=mask, fill_value=_NONE if values.dtype.kind == "i" else None)
    return made


def _values(column: pa.ChunkedArray, ascii_only: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Values of a column, and which are empty; None where an empty one is NaN or an empty text."""
    column, kind = column.combine_chunks(), column.type
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], kind)
    if ascii_only and pa.types.is_int8(kind):
        column = column.cast(pa.int16())  # FITS has bytes without a sign alone
    if _is_matrix(column):
        flat = column.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(column), kind.list_size), None
    if pa.types.is_floating(kind):
        return column.to_numpy(zero_copy_only=False), None
    if pa.types.is_integer(kind) or (pa.types.is_boolean(kind) and not column.null_count):
        if pa.types.is_integer(kind) and column.null_count:
            mask = pc.is_null(column).to_numpy(zero_copy_only=False)
            return pc.fill_null(column.cast(pa.int64()), _NONE).to_numpy(), mask
        return column.to_numpy(zero_copy_only=False), None
    place = None
    if pa.types.is_string(kind):  # most columns of text have a few different ones
        coded = pc.fill_null(column, "").dictionary_encode()
        column, place = coded.dictionary, coded.indices.to_numpy()
    texts = ["" if value is None else str(value) for value in python_cells(column)]
    if ascii_only:
        letters = [text.encode("ascii", "backslashreplace") for text in texts]
        each = np.array(letters, dtype=f"S{max([2, *map(len, letters)])}")
        return each if place is None else each[place], None
    width = max([2, *map(len, texts)])  # VOTable has a form of its own for texts of one character, which STILTS doubts
    each = np.array(texts, dtype=f"U{width}")
    return each if place is None else each[place], None


def _write_fits(table: pa.Table, path: Path) -> None:
    from astropy.io import fits

    made = _astropy(table, ascii_only=True)
    hdu = fits.table_to_hdu(made[:0])  # the header alone: astropy would make text of bytes, and bytes of it again
    hdu.header["NAXIS2"] = len(made)
    for number, field in enumerate(table.schema, 1):
        said = _said(field)
        for keyword, key in (("TUNIT", "unit"), ("TUCD", "ucd"), ("TCOMM", "description")):
            if text := said.get(key, "").encode("ascii", "replace").decode():
                hdu.header[f"{keyword}{number}"] = "".join(char for char in text if char.isprintable())
    primary = fits.PrimaryHDU()
    for key, value in header_in(table.schema).items():
        text = value.encode("ascii", "backslashreplace").decode()
        hdu.header[_KEYWORDS[key]] = primary.header[_KEYWORDS[key]] = text
    with open(path, "wb") as handle:
        for header in (primary.header, hdu.header):
            handle.write(header.tostring().encode("ascii"))
        handle.writelines(_fits_rows(made, hdu.columns.dtype.newbyteorder(">")))
        handle.write(b"\0" * (-len(made) * hdu.columns.dtype.itemsize % _FITS_BLOCK))


def _fits_rows(made: Any, kind: np.dtype) -> Iterator[bytes]:
    """The rows of a table of astropy as the bytes of a FITS table whose columns have this dtype, many in one piece."""
    for start in range(0, len(made), _AT_ONCE):
        rows = np.zeros(min(_AT_ONCE, len(made) - start), kind)
        for place, name in enumerate(kind.names or ()):
            values = made.columns[place][start : start + len(rows)]
            values = np.ma.filled(values) if hasattr(values, "mask") else np.asarray(values)
            if values.dtype == bool:
                values = np.where(values, ord("T"), ord("F"))
            elif (size := values.dtype.itemsize) > 1 and values.dtype.kind == "u":  # TZERO is half of their range
                values = (values ^ values.dtype.type(1 << 8 * size - 1)).view(f"i{size}")
            rows[name] = values
        yield rows.tobytes()


def _write_ecsv(table: pa.Table, path: Path) -> None:
    from astropy import units

    for number, (field, column) in enumerate(zip(table.schema, table.columns, strict=True)):
        if pa.types.is_nested(field.type) and not _is_matrix(column):
            rows = pa.array([json.dumps(row, default=str) for row in python_cells(column)], pa.string())
            table = table.set_column(number, field.with_type(pa.string()), rows)
    made = _astropy(table.slice(0, 0))
    for field in table.schema:
        said = _said(field)
        if "unit" in said:
            made[field.name].unit = units.Unit(said["unit"], parse_strict="silent")
        made[field.name].description = said.get("description")
        if "ucd" in said:
            made[field.name].meta["ucd"] = said["ucd"]
    made.meta.update(header_in(table.schema))
    head = io.StringIO()
    made.write(head, format="ascii.ecsv")
    with open(path, "wb") as handle:
        handle.write(head.getvalue().rstrip("\n").encode() + b"\n")
        handle.writelines(_lines(table, _ecsv_cells, " ", "\n"))


def _ecsv_cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells as ECSV has them: an empty one is "", one that is no number is nan, and rows of an array are JSON."""
    if _is_matrix(column):
        return pc.binary_join_element_wise("[", _joined_arrays(column, ","), "]", "")
    if pa.types.is_boolean(column.type):
        return pc.fill_null(pc.if_else(column, "True", "False"), '""')
    text = _text(column, "nan")
    if _is_text(column):
        return pc.if_else(pc.match_substring_regex(text, r'["\s]|^$'), _quoted(text), text)
    return pc.if_else(pc.equal(text, ""), '""', text)


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".fits": _write_fits,
    ".vot": _write_votable,
    ".ecsv": _write_ecsv,
}
"""By suffix: what writes a table."""
