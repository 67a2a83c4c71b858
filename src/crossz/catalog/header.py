"""A table's columns, from its header alone: what the workflow needs to know of a user's table.

Readers are imported where they are needed. A CSV's header needs none; to draw the graph of jobs should not cost seconds.
"""

import xml.etree.ElementTree as xml
from collections.abc import Mapping
from pathlib import Path

from crossz.catalog.formats import Field, layout, opened, with_bands
from crossz.catalog.naming import suggestion, taken
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError

_MAGNITUDES = tuple(f"{kind}_{band}" for kind in ("dered", "psfMag") for band in BANDS)
_NEEDED = tuple(f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS)

_FIVE = {f"5{letter}" for letter in "BIJKED"}  # five numbers, in a header of FITS


def columns_of(path: str | Path) -> list[Field]:
    """The columns of a table of any format that `readers.read_all` reads, in their order and as the file writes them.

    Raises
    ------
    CrosszError
        The file has no header that can be read.
    """
    with opened(path) as (file, kind):
        return _READERS[kind](file)


def needs_archive(path: str | Path, columns: Mapping[str, str]) -> bool:
    """Whether the targets of a table have to be found in the archive: it has no magnitudes of its own.

    Parameters
    ----------
    path
        The user's table. Names match regardless of case.
    columns
        Our column name -> its name in the table, where they differ (catalog.columns).

    Raises
    ------
    CrosszError
        The table has neither magnitudes nor ra and dec, nor objID.
    """
    fields = columns_of(path)
    found = taken(fields, columns, ("objID", "ra", "dec", *_MAGNITUDES), str(path))
    if any(name in found for name in _MAGNITUDES):
        return False
    if not ({"ra", "dec"} <= {*found} or "objID" in found):
        raise CrosszError(
            f"{path}: no ra and dec (degrees), no objID and no magnitudes (dered_u ... z, psfMagErr_u ... z); "
            f"name its columns so, or map them in catalog.columns, or {suggestion(fields, _NEEDED)}"
        )
    return True


def _text(path: Path) -> list[Field]:
    return layout(path).fields


def _parquet(path: Path) -> list[Field]:
    import pyarrow.parquet as pq

    from crossz.catalog.parquet import of_parquet
    from crossz.catalog.readers import fields_of

    return fields_of(of_parquet(pq.read_schema(path).empty_table()).schema)


def _fits(path: Path) -> list[Field]:
    from astropy.io import fits

    from crossz.catalog.readers import fits_fields

    number, fields = fits_fields(path)
    forms = fits.getheader(path, number)["TFORM*"].values()
    return with_bands(fields, [str(form)[:2] in _FIVE for form in forms])


def _votable(path: Path) -> list[Field]:
    from crossz.catalog.readers import check_votable  # the graph of jobs of a CSV needs none

    check_votable(path)
    fields: list[Field] = []
    arrays: list[bool] = []
    for _, element in xml.iterparse(path, events=("start",)):
        tag = element.tag.rpartition("}")[2]
        if tag == "FIELD":
            name = element.get("ID") or element.attrib["name"]
            fields.append(Field(name, element.get("unit", ""), element.get("ucd", "")))
            arrays.append(element.get("arraysize") == "5" and element.get("datatype") not in ("char", "unicodeChar"))
        elif tag == "DATA":
            break
    if not fields:
        raise ValueError("it has no FIELD")
    return with_bands(fields, arrays)


def _others(path: Path) -> list[Field]:
    from crossz.catalog.readers import fields_of, read_all

    return fields_of(read_all(path).schema)


_READERS = {
    "text": _text,
    "parquet": _parquet,
    "fits": _fits,
    "votable": _votable,
    "ecsv": _others,
    "ipac": _others,
    "mrt": _others,
}
