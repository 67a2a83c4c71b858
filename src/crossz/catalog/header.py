"""Names of a table's columns, from its header alone: what the workflow needs to know of a user's table.

Readers are imported where they are needed. A CSV's header needs none; to draw the graph of jobs should not cost seconds.
"""

import csv
import xml.etree.ElementTree as xml
from collections.abc import Mapping
from pathlib import Path

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import refusing


def column_names(path: str | Path) -> list[str]:
    """The columns of a CSV, FITS, VOTable or Parquet file, in their order and as the file writes them.

    Raises
    ------
    CrosszError
        The file has no header that can be read.
    """
    path = Path(path)
    readers = (
        {".parquet": _parquet} | dict.fromkeys((".fits", ".fit"), _fits) | dict.fromkeys((".vot", ".xml"), _votable)
    )
    try:
        with refusing(f"not a readable {path.suffix or 'CSV'} table"):
            return readers.get(path.suffix, _csv)(path)
    except Refused as error:
        raise CrosszError(f"{path}: {error}") from error


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
    theirs = {name.lower() for name in column_names(path)}

    def has(*names: str) -> bool:
        return all(columns.get(name, name).lower() in theirs for name in names)

    if any(has(f"{kind}_{band}") for kind in ("dered", "psfMag") for band in BANDS):
        return False
    if not (has("ra", "dec") or has("objID")):
        raise CrosszError(
            f"{path}: no ra and dec (degrees), no objID and no magnitudes (dered_u ... z, psfMagErr_u ... z); "
            "name its columns so, or map them in catalog.columns"
        )
    return True


def _csv(path: Path) -> list[str]:
    with open(path, newline="", encoding="utf-8-sig") as handle:
        rows = csv.reader(handle)
        first = next(rows, [])
        if first and first[0].startswith("#"):  # SkyServer's opens with "#Table1"
            first = next(rows, [])
        if not first:
            raise ValueError("its first line is empty; a table begins with the names of its columns")
        return first


def _parquet(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    return pq.read_schema(path).names


def _fits(path: Path) -> list[str]:
    from astropy.io import fits

    with fits.open(path) as hdus:
        return list(hdus[1].columns.names)


def _votable(path: Path) -> list[str]:
    from crossz.catalog.readers import check_votable  # the graph of jobs of a CSV needs none

    check_votable(path)
    names: list[str] = []
    for _, element in xml.iterparse(path, events=("start",)):
        tag = element.tag.rpartition("}")[2]
        if tag == "FIELD":
            names.append(element.get("ID") or element.attrib["name"])
        elif tag == "DATA":
            break
    if not names:
        raise ValueError("it has no FIELD")
    return names
