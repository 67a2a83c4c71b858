"""SkyServer's cross-identification: positions or objIDs, batch by batch, to rows of PhotoObjAll.

The service is passed in, so that how rows are fetched is no part of the digest of rule archive_match.
"""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from crossz.archive import reply
from crossz.catalog.columns import conform
from crossz.catalog.targets import COLUMNS, Finder
from crossz.core.errors import CrosszError, Refused
from crossz.sdss.coordinates import separation_arcsec

if TYPE_CHECKING:
    from crossz.archive.responses import Reply
    from crossz.archive.skyserver import SkyServer

log = logging.getLogger(__name__)

BATCH = 500
"""Targets a request: some 50 kB of upload, and an answer within seconds."""
LARGEST_RADIUS_ARCSEC = 180.0
"""What the service allows."""
_SLACK = 0.1  # arcsec by which its arithmetic of a separation may differ from ours
_NAMES = ("number", *COLUMNS)
_SELECTED = ", ".join(f"p.{name} AS {name}" for name in COLUMNS)
# LEFT JOIN: a position without an object has a row too, so that a cut answer shows.
_NEAREST = (
    f"SELECT u.up_name AS number, {_SELECTED} FROM #upload AS u LEFT JOIN #x AS x ON x.up_id = u.up_id "
    "LEFT JOIN PhotoObjAll AS p ON p.objID = x.objID ORDER BY u.up_id"
)


def finder(service: "SkyServer") -> Finder:
    """Objects of the archive by position (the nearest primary object) or by objID.

    Each answer is checked: every position asked for has a row, and an object's own position lies within the radius. A
    radius beyond LARGEST_RADIUS_ARCSEC raises CrosszError.
    """

    def near(ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> pd.DataFrame:
        if radius_arcsec > LARGEST_RADIUS_ARCSEC:
            raise CrosszError(f"a radius of {radius_arcsec:g} arcsec: SkyServer allows {LARGEST_RADIUS_ARCSEC:g}")
        return pd.concat(_near(service, batch, ra, dec, radius_arcsec, what) for what, batch in _batches(len(ra)))

    def named(objID: np.ndarray) -> pd.DataFrame:
        parts = []
        for what, batch in _batches(len(objID)):
            ids = ", ".join(map(str, np.unique(objID[batch]).tolist()))
            query = f"SELECT {_SELECTED} FROM PhotoObjAll AS p WHERE p.objID IN ({ids})"
            parts.append(_rows(service.ask(query, tuple(COLUMNS), None, what, reply.unchanged)))
        asked = pd.DataFrame({"objID": objID, "number": np.arange(len(objID))})
        return asked.merge(pd.concat(parts).drop_duplicates("objID"), on="objID")

    return Finder(near, named)


def _near(
    service: "SkyServer", batch: np.ndarray, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float, what: str
) -> pd.DataFrame:
    """The nearest primary objects of the targets `batch`, places in `ra` and `dec`."""
    lines = [f"{number} {float(ra[number])!r} {float(dec[number])!r}" for number in batch.tolist()]
    form = {
        "searchtool": "CrossID",
        "searchType": "photo",
        "photoScope": "nearPrim",
        "photoUpType": "ra-dec",
        "firstcol": 1,
        "radius": radius_arcsec / 60,
        "format": "csv",
        "uquery": _NEAREST,
    }

    def accept(answer: "Reply") -> pd.DataFrame:
        return _checked(reply.table(answer.body, _NAMES), batch, ra, dec, radius_arcsec)

    return service.identify(form, "\n".join(["name ra dec", *lines]), what, accept)


def _batches(count: int) -> Iterator[tuple[str, np.ndarray]]:
    for start in range(0, count, BATCH):
        batch = np.arange(start, min(start + BATCH, count))
        what = f"targets {start + 1:,} to {batch[-1] + 1:,} of {count:,}"
        log.info(f"cross-identification: {what}")
        yield what, batch


def _checked(
    answer: pa.Table, batch: np.ndarray, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float
) -> pd.DataFrame:
    """The objects in `answer`, with `number`. Raises Refused for an answer to another question, or to a part of this one."""
    names = answer["number"].to_pylist()
    if sorted(set(names)) != sorted(map(str, batch.tolist())):
        raise Refused(f"{len(set(names)):,} of the targets instead of {len(batch):,}")
    rows = _rows(answer.filter(pc.is_valid(answer["objID"])))
    number = rows["number"].to_numpy()
    away = separation_arcsec(ra[number], dec[number], rows["ra"].to_numpy(), rows["dec"].to_numpy())
    if len(away) and away.max() > radius_arcsec + _SLACK:
        raise Refused(f"an object {away.max():.1f} arcsec from its target, beyond the {radius_arcsec:g} asked for")
    return rows


def _rows(answer: pa.Table) -> pd.DataFrame:
    kinds = {name: pa.int64() if name == "number" else COLUMNS[name] for name in answer.column_names}
    if not len(answer):
        return pa.table({name: pa.array([], kind) for name, kind in kinds.items()}).to_pandas()
    return conform(answer, "SkyServer's answer", columns=kinds).to_pandas()
