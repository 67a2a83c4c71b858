"""CDS XMatch: positions, batch by batch, to the sources of a table of VizieR around them.

The form of a request is that of astroquery.xmatch. The client is passed in, so that how an answer is carried is no part of
the digest of rule crossmatch. The answer is a VOTable, since that has an end and says whether it is complete; a CSV does not.
"""

import functools
import hashlib
import json
import logging
import re
import xml.etree.ElementTree as xml
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crossz.catalog.crossmatch import Find
from crossz.core.errors import CrosszError, Refused
from crossz.core.files import atomic_path
from crossz.core.foreign import read_rows
from crossz.core.surveys import SURVEYS, Survey
from crossz.core.text import printable
from crossz.sdss.coordinates import separation_arcsec

if TYPE_CHECKING:
    from crossz.archive.http import Client
    from crossz.archive.responses import Reply

log = logging.getLogger(__name__)

BATCH = 5_000
"""Positions a request. An author of the service recommends 10,000 or more (astroquery's issue 1900); an answer to these has
some 2 MB, and stays below _LARGEST where stars are dense."""
REMEDY = "Rerun later: finished batches are kept"
_ASKED = ("asked", "asked_ra", "asked_dec")
"""Columns of the upload; no table of SURVEYS has one of these names."""
_LARGEST = 8 << 20  # bytes of an answer
_SLACK = 0.1  # arcsec by which their arithmetic of a separation may differ from ours
_FASTEST = 11_000  # mas/yr; Barnard's star has 10,400
_YEARS = 17.5  # from 1998.5 to 2016.0: so long a source may have moved between its two positions


def finder(client: "Client", archive: dict[str, Any], cache: str | Path) -> Find:
    """What finds sources by XMatch.

    Each answer is checked: it is complete, each row repeats a position that was asked for, and its source lies there.

    Parameters
    ----------
    client
        Carries requests.
    archive
        The block of the configuration; read: xmatch (address) and query_s (patience for an answer, seconds).
    cache
        A folder that keeps the sources of finished batches, so that a rerun asks for nothing again. It may be deleted.
    """

    def find(name: str, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> pd.DataFrame:
        survey = SURVEYS[name]
        parts = [_sources(np.empty((0, 3 + len(survey.columns))), survey)]
        for start in range(0, len(ra), BATCH):
            batch = ra[start : start + BATCH], dec[start : start + BATCH]
            form, upload = form_of(survey, radius_arcsec), _upload(*batch)
            digest = hashlib.sha256(json.dumps([archive["xmatch"], form, upload]).encode()).hexdigest()[:16]
            path = Path(cache, f"{name}-{digest}.parquet")
            if not path.exists():
                what = f"{name}: positions {start + 1:,} to {start + len(batch[0]):,} of {len(ra):,}"
                log.info(f"CDS XMatch: {what}")
                accept = functools.partial(
                    _accept, survey=survey, ra=batch[0], dec=batch[1], radius_arcsec=radius_arcsec
                )
                sources = client.fetch(
                    [archive["xmatch"]],
                    what,
                    accept,
                    REMEDY,
                    method="POST",
                    first_byte_s=archive["query_s"],
                    most=_LARGEST,
                    data=form,
                    files={"cat1": ("cat1.csv", upload)},
                )
                with atomic_path(path) as temporary:
                    pq.write_table(pa.Table.from_pandas(sources, preserve_index=False), temporary)
            part = read_rows(path).to_pandas()
            parts.append(part.assign(number=part["number"] + start))
        return pd.concat(parts, ignore_index=True)

    return find


def form_of(survey: Survey, radius_arcsec: float) -> dict[str, Any]:
    """The fields of a request beside the uploaded positions."""
    return {
        "request": "xmatch",
        "distMaxArcsec": radius_arcsec,
        "RESPONSEFORMAT": "votable",
        "cols2": ",".join([*survey.position, *survey.columns.values()]),
        "colRA1": _ASKED[1],
        "colDec1": _ASKED[2],
        "cat2": f"vizier:{survey.table}",
        "area": "allsky",
    }


def checked(body: bytes, survey: Survey, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> pd.DataFrame:
    """The sources in an answer, as `Find` gives them.

    Parameters
    ----------
    body
        A VOTable.
    survey
        What was asked.
    ra, dec : array [n]
        Positions that were asked for, degrees.
    radius_arcsec
        The radius that was asked for.

    Raises
    ------
    errors.Refused
        A second request may mend it: no complete VOTable, or rows of other positions.
    errors.CrosszError
        The service rejects the question, its answer is cut at a limit of the service, or it lacks a column.
    """
    answer = _numbers(body, [*_ASKED, *survey.position, *survey.columns.values()])
    number, place = answer[:, 0], answer[:, 1:5]
    if not (np.isfinite(answer[:, :5]).all() and np.isin(number, np.arange(len(ra))).all()):
        raise Refused("a row of no position that was asked for")
    asked = number.astype(np.int64)
    if not np.allclose(place[:, :2], np.stack([ra[asked], dec[asked]], axis=1), rtol=0, atol=1e-6):
        raise Refused("a row of another position than was asked for")
    if not ((place[:, 2] >= 0) & (place[:, 2] <= 360) & (np.abs(place[:, 3]) <= 90)).all():
        raise Refused("a position that is none")
    sources = _sources(np.delete(answer, [1, 2], axis=1), survey)
    reach = radius_arcsec + _SLACK
    if survey.motion:
        speed = np.hypot(*(sources[name].fillna(0).to_numpy() for name in survey.motion))
        if (speed > _FASTEST).any():
            raise Refused(f"a proper motion of {speed.max():g} mas/yr, which no star has")
        reach = reach + speed / 1000 * _YEARS
    away = separation_arcsec(*place.T)
    if (away > reach).any():
        raise Refused(f"a source {away.max():.1f} arcsec from its position, beyond the {radius_arcsec:g} asked for")
    return sources


def _accept(reply: "Reply", survey: Survey, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> pd.DataFrame:
    return checked(reply.body, survey, ra, dec, radius_arcsec)


def _sources(values: np.ndarray, survey: Survey) -> pd.DataFrame:
    """Rows of number, ra, dec and the columns of `survey`, under our names."""
    frame = pd.DataFrame(values, columns=["number", "ra", "dec", *survey.columns])
    return frame.astype({"number": np.int64})


def _upload(ra: np.ndarray, dec: np.ndarray) -> str:
    lines = (f"{number},{x!r},{y!r}" for number, (x, y) in enumerate(zip(ra.tolist(), dec.tolist(), strict=True)))
    return "\n".join([",".join(_ASKED), *lines, ""])


def _numbers(body: bytes, columns: list[str]) -> np.ndarray:
    """The `columns` of a VOTable [rows, columns], NaN where a cell is empty or no finite number.

    astropy reads VOTables too. But it takes memory for as many rows and letters as a document claims, and it opens the
    files that a document names.
    """
    if re.search(rb"<!DOCTYPE|<!ENTITY|\0", body, re.IGNORECASE):  # a zero byte: UTF-16, in which these would hide
        raise Refused("a VOTable that defines entities, or is not in UTF-8")
    try:
        document = xml.fromstring(body)
    except (xml.ParseError, ValueError, LookupError) as error:  # LookupError: an encoding that Python does not know
        raise Refused(f"no complete VOTable: {error}") from error
    for info in _all(document, "INFO"):
        words = printable(info.text or "")
        if info.get("name") == "QUERY_STATUS" and info.get("value") == "ERROR":
            raise CrosszError(f"CDS XMatch says: {words}")
        if info.get("name") == "QUERY_STATUS" and info.get("value") == "OVERFLOW":
            raise CrosszError(f"CDS XMatch cuts its answer: {words}")
    tables = list(_all(document, "TABLE"))
    data = list(_all(document, "TABLEDATA"))
    if (len(tables), len(data)) != (1, 1):
        raise Refused(f"{len(tables)} tables with {len(data)} TABLEDATA instead of one")
    names = [field.get("name", "") for field in _all(tables[0], "FIELD")]
    if absent := [name for name in columns if names.count(name) != 1]:
        raise CrosszError(
            f"CDS XMatch gives no column {', '.join(absent)}, or two; it gives {printable(', '.join(names))}"
        )
    rows = [[cell.text for cell in row] for row in data[0]]
    if any(len(row) != len(names) for row in rows) or tables[0].get("nrows", str(len(rows))) != str(len(rows)):
        raise Refused("a table without some of its cells or rows")
    places = [names.index(name) for name in columns]
    try:
        values = np.array([[_number(row[place] or "") for place in places] for row in rows]).reshape(-1, len(columns))
    except ValueError as error:
        raise Refused(f"a cell that is no number: {printable(str(error))}") from error
    return np.where(np.isfinite(values), values, np.nan)


def _number(cell: str) -> float:
    """The number in a cell; float() also reads 1_0, and digits of any script."""
    if not cell.isascii() or "_" in cell:
        raise ValueError(f"{cell[:40]!r}")
    return float(cell.strip() or "nan")


def _all(element: xml.Element, name: str) -> Iterator[xml.Element]:
    """The elements of this name in any namespace: each version of VOTable has its own."""
    return (found for found in element.iter() if found.tag.rpartition("}")[2] == name)
