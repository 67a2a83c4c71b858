"""Writing a table with units, descriptions and UCDs: FITS, VOTable, ECSV, CSV, Parquet."""

import csv
import io
import json
import warnings
import xml.etree.ElementTree as xml
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossz.apply.answer import HEADER, OURS, header_in
from crossz.core.files import atomic_path

_NONE = np.iinfo(np.int64).min  # of an integer in FITS and VOTable, which have no other empty cell
_KEYWORDS = {"crossz": "CROSSZ", "network": "NETWORK", "fingerprint": "FPRINT", "date": "DATE", "training": "TRAINING", "warning": "WARNING"}  # fmt: skip
_XML_KINDS = {"bool": "boolean", "int8": "short", "uint8": "unsignedByte", "int16": "short", "uint16": "int", "int32": "int", "uint32": "long", "int64": "long", "float": "float", "double": "double"}  # fmt: skip


def write_table(table: pa.Table, path: str | Path) -> None:
    """Write a table that `answer.answered` made, in the format of the suffix. A file is complete, or is not there.

    Parameters
    ----------
    table
        Its fields' metadata are units, UCDs and descriptions; its own are the header.
    path
        Its suffix is one of WRITERS.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        WRITERS[path.suffix](table, temporary)


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table.replace_schema_metadata(parquet_metadata(table.schema)), path)


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
    root = xml.Element("VOTABLE", version="1.4", xmlns="http://www.ivoa.net/xml/VOTable/v1.3")
    resource = xml.SubElement(root, "RESOURCE", type="results")
    target = xml.SubElement(resource, "TABLE")
    for key, value in header_in(schema).items():
        xml.SubElement(target, "INFO", name=key, value=value)
    for field in schema:
        said = _said(field)
        kind = _XML_KINDS.get(str(field.type), "char")
        shape: dict[str, str] = {"arraysize": "*"} if kind == "char" else {}
        if pa.types.is_fixed_size_list(field.type):
            kind, shape = _XML_KINDS.get(str(field.type.value_type), "char"), {"arraysize": str(field.type.list_size)}
        shape |= {key: said[key] for key in ("unit", "ucd") if key in said}
        element = xml.SubElement(target, "FIELD", {"name": field.name, "datatype": kind} | shape)
        if "description" in said:
            xml.SubElement(element, "DESCRIPTION").text = said["description"]
    return xml.tostring(root, encoding="utf-8")


def _said(field: pa.Field) -> dict[str, str]:
    """Unit, UCD and description of a column."""
    return {key.decode(): value.decode() for key, value in (field.metadata or {}).items() if key != OURS}


def _write_csv(table: pa.Table, path: Path) -> None:
    path.write_text(csv_head(table) + csv_lines(table), encoding="utf-8", newline="")


def csv_head(table: pa.Table) -> str:
    """The first line of a CSV: the names of the columns."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([*table.column_names, *_network_column(table)])
    return text.getvalue()


def _network_column(table: pa.Table) -> dict[str, str]:
    """A column with what the header says: a comment in front of a CSV would break most readers."""
    said = header_in(table.schema)
    made = "; ".join(said[key] for key in ("network", "fingerprint", "warning") if key in said)
    return {"crossz_network": made} if made and "crossz_network" not in table.column_names else {}


def csv_lines(table: pa.Table) -> str:
    """The rows of a CSV. An empty cell is a missing value; a text that a spreadsheet would take for a formula gets an apostrophe."""
    columns = [_cells(column) for column in table.columns]
    columns += [_cells(pa.chunked_array([pa.array([text] * len(table))])) for text in _network_column(table).values()]
    lines = pc.binary_join_element_wise(*columns, ",").to_pylist()
    return "".join(f"{line}\n" for line in lines)


def _cells(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The cells of a CSV, quoted where they must be."""
    kind = column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
    if pa.types.is_nested(kind):
        text = pa.chunked_array(
            [pa.array([None if row is None else str(row) for row in column.to_pylist()], pa.string())]
        )
    else:
        text = column.cast(pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        formula = pc.match_substring_regex(text, r"^([=+@\t\r]|-$|-[^0-9.])")
        text = pc.if_else(formula, pc.binary_join_element_wise("'", text, ""), text)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_nested(kind):
        quoted = pc.binary_join_element_wise('"', pc.replace_substring(text, '"', '""'), '"', "")
        text = pc.if_else(pc.match_substring_regex(text, r'[",\n\r]'), quoted, text)
    return pc.fill_null(text, "")


def _astropy(table: pa.Table, ascii_only: bool = False) -> Any:
    """The columns as a table of astropy, without units."""
    from astropy.table import MaskedColumn, Table

    made = Table()
    for field, column in zip(table.schema, table.columns, strict=True):
        values, mask = _values(column, ascii_only)
        name = field.name.encode("ascii", "backslashreplace").decode() if ascii_only else field.name
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
    if pa.types.is_fixed_size_list(kind) and not column.null_count and pa.types.is_floating(kind.value_type):
        flat = column.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(column), kind.list_size), None
    if pa.types.is_floating(kind):
        return column.to_numpy(zero_copy_only=False), None
    if pa.types.is_integer(kind) or (pa.types.is_boolean(kind) and not column.null_count):
        if pa.types.is_integer(kind) and column.null_count:
            mask = pc.is_null(column).to_numpy(zero_copy_only=False)
            return pc.fill_null(column.cast(pa.int64()), _NONE).to_numpy(), mask
        return column.to_numpy(zero_copy_only=False), None
    texts = ["" if value is None else str(value) for value in column.to_pylist()]
    if ascii_only:
        texts = [text.encode("ascii", "backslashreplace").decode() for text in texts]
    width = max([2, *map(len, texts)])  # VOTable has a form of its own for texts of one character, which STILTS doubts
    return np.array(texts, dtype=f"U{width}"), None


def _write_fits(table: pa.Table, path: Path) -> None:
    from astropy.io import fits

    hdu = fits.table_to_hdu(_astropy(table, ascii_only=True))
    for number, field in enumerate(table.schema, 1):
        said = _said(field)
        for keyword, key in (("TUNIT", "unit"), ("TUCD", "ucd"), ("TCOMM", "description")):
            if text := said.get(key, "").encode("ascii", "replace").decode():
                hdu.header[f"{keyword}{number}"] = "".join(char for char in text if char.isprintable())
    primary = fits.PrimaryHDU()
    for key, value in header_in(table.schema).items():
        hdu.header[_KEYWORDS[key]] = value
        primary.header[_KEYWORDS[key]] = value
    fits.HDUList([primary, hdu]).writeto(path, output_verify="silentfix")  # a checksum's comment has the time of day


def _described(table: pa.Table) -> Any:
    """The columns as a table of astropy, with their units, descriptions and UCDs, and the header."""
    from astropy import units

    made = _astropy(table)
    for field in table.schema:
        said = _said(field)
        if "unit" in said:
            made[field.name].unit = units.Unit(said["unit"], parse_strict="silent")
        made[field.name].description = said.get("description")
        if "ucd" in said:
            made[field.name].meta["ucd"] = said["ucd"]
    made.meta.update(header_in(table.schema))
    return made


def _write_votable(table: pa.Table, path: Path) -> None:
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    made = _described(table)
    header: Mapping[str, str] = dict(made.meta)
    made.meta.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about units of the user's, which are written as they were
        file = from_table(made)
        for key, value in header.items():
            file.resources[0].infos.append(Info(name=key, value=value))
        file.to_xml(str(path))


def _write_ecsv(table: pa.Table, path: Path) -> None:
    _described(table).write(path, format="ascii.ecsv")
    with open(path, "a", encoding="utf-8") as handle:
        handle.write("\n")


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".fits": _write_fits,
    ".vot": _write_votable,
    ".ecsv": _write_ecsv,
}
"""By suffix: what writes a table."""
