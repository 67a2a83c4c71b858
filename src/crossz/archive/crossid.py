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
from crossz.catalog.objects import RANGES
from crossz.catalog.targets import COLUMNS, Finder
from crossz.core.errors import CrosszError, Refused
from crossz.sdss.coordinates import separation_arcsec

if TYPE_CHECKING:
    from crossz.archive.responses import Reply
    from crossz.archive.skyserver import SkyServer

log = logging.getLogger(__name__)

BATCH = 500
"""Targets a request: some 50 kB of upload, and an answer within seconds."""
IDS = 70
"""objIDs a request: they stand in its address, which may not be longer (skyserver.LONGEST)."""
LARGEST_RADIUS_ARCSEC = 180.0
"""What the service allows."""
_FIELDS = {
    "rerun": (0, 2047),
    "run": (0, 65535),
    "camcol": (1, 6),
    "field": (0, 4095),
}  # what the bits of an objID hold
_SLACK = 0.1  # arcsec by which its arithmetic of a separation may differ from ours
# The service rewrites the query at every SELECT: without the words "p.objID," it would put x.objID in front, and it puts the
# first column of the upload, `name`, before all others. LEFT JOIN: a position without an object has a row too, with empty
# cells, so that a cut answer shows. The line break after SELECT is astroquery's.
_SELECTED = ", ".join(("objID", *(name for name in COLUMNS if name != "objID")))
_NEAREST = (
    f"SELECT\r\np.{_SELECTED.replace(', ', ', p.')} FROM #upload u LEFT JOIN #x x ON x.up_id = u.up_id "
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
        batches = _batches(len(ra), BATCH)
        return pd.concat(_near(service, batch, ra, dec, radius_arcsec, what) for what, batch in batches)

    def named(objID: np.ndarray) -> pd.DataFrame:
        parts = []
        for what, batch in _batches(len(objID), IDS):
            ids = ",".join(map(str, np.unique(objID[batch]).tolist()))
            query = f"SELECT {_SELECTED} FROM PhotoObjAll WHERE objID IN ({ids})"

            def asked_for(answer: pa.Table, batch: np.ndarray = batch) -> pd.DataFrame:
                rows = _rows(answer)
                if not rows["objID"].isin(objID[batch]).all():
                    raise Refused("an object that was not asked for")
                return rows

            parts.append(service.ask(query, tuple(COLUMNS), None, what, asked_for))
        asked = pd.DataFrame({"objID": objID, "number": np.arange(len(objID))})
        return asked.merge(pd.concat(parts).drop_duplicates("objID"), on="objID")

    return Finder(near, named)


def _near(
    service: "SkyServer", batch: np.ndarray, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float, what: str
) -> pd.DataFrame:
    """The nearest primary objects of the targets `batch`, places in `ra` and `dec`."""

    def accept(answer: "Reply") -> pd.DataFrame:
        rows = reply.table(answer.body, ("name", *COLUMNS), more=True)
        return _checked(rows.rename_columns(["number", *COLUMNS]), batch, ra, dec, radius_arcsec)

    # The form and the upload, blanks included, are those of astroquery's query_crossid; tests/real_clients compares them.
    form = {
        "format": "csv",
        "uquery": _NEAREST,
        "searchtool": "CrossID",
        "radius": radius_arcsec / 60,
        "firstcol": 1,
        "photoScope": "nearPrim",
        "photoUpType": "ra-dec",
        "searchType": "photo",
    }
    lines = [f"{number} {float(ra[number])!r} {float(dec[number])!r}" for number in batch.tolist()]
    return service.identify(form, "name ra dec \n" + " \n ".join(lines), what, accept)


def _batches(count: int, size: int) -> Iterator[tuple[str, np.ndarray]]:
    for start in range(0, count, size):
        batch = np.arange(start, min(start + size, count))
        what = f"targets {start + 1:,} to {batch[-1] + 1:,} of {count:,}"
        log.info(f"cross-identification: {what}")
        yield what, batch


def _checked(
    answer: pa.Table, batch: np.ndarray, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float
) -> pd.DataFrame:
    """The objects in `answer`, with `number`. Raises Refused for an answer to another question, or to a part of this one."""
    names = set(answer["number"].to_pylist())
    if names != set(map(str, batch.tolist())):
        raise Refused(f"{len(names):,} of the targets, or others, instead of {len(batch):,}")
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
    rows = conform(answer, "SkyServer's answer", columns=kinds).to_pandas()
    ends = {name: RANGES[name] for name in ("objID", "ra", "dec")} | _FIELDS
    if wrong := [name for name in ends if not rows[name].between(*ends[name]).all()]:
        raise Refused(f"an object whose {wrong[0]} cannot be")
    return rows
