"""SkyServer's cross-identification: positions or objIDs, batch by batch, to rows of PhotoObjAll."""

import logging
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from crossz.archive import reply, skyserver
from crossz.archive.http import Client
from crossz.catalog.columns import conform
from crossz.catalog.targets import COLUMNS, Finder, separation_arcsec
from crossz.core.errors import CrosszError, Refused

log = logging.getLogger(__name__)

BATCH = 500
"""Targets a request: some 50 kB of upload, and an answer within seconds."""
LARGEST_RADIUS_ARCSEC = 180.0
"""What the service allows."""
_SLACK = 0.1  # arcsec by which its arithmetic of a separation may differ from ours
_NAMES = ("number", *COLUMNS)


def finder(client: Client, archive: dict) -> Finder:
    """Objects of the archive by position (the nearest primary one) or by objID. `archive`: the block of the configuration.

    Each answer is checked: every position asked for has a row, an object's own position lies within the radius. Raises CrosszError for
    a radius beyond LARGEST_RADIUS_ARCSEC.
    """
    url = f"{archive['skyserver'].rstrip('/')}/en/tools/search/X_Results.aspx"
    columns = ", ".join(f"p.{name} AS {name}" for name in COLUMNS)
    ask = skyserver.ask(client, archive)

    def near(ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> pd.DataFrame:
        if radius_arcsec > LARGEST_RADIUS_ARCSEC:
            raise CrosszError(f"a radius of {radius_arcsec:g} arcsec: SkyServer allows {LARGEST_RADIUS_ARCSEC:g}")
        # LEFT JOIN: a position without an object has a row too, so that a cut answer shows.
        query = (
            f"SELECT u.up_name AS number, {columns} FROM #upload AS u LEFT JOIN #x AS x ON x.up_id = u.up_id "
            "LEFT JOIN PhotoObjAll AS p ON p.objID = x.objID ORDER BY u.up_id"
        )
        parts = []
        for what, some in _batches(len(ra)):
            lines = [f"{number} {float(ra[number])!r} {float(dec[number])!r}" for number in some.tolist()]
            form = {
                "searchtool": "CrossID",
                "searchType": "photo",
                "photoScope": "nearPrim",
                "photoUpType": "ra-dec",
                "firstcol": 1,
                "radius": radius_arcsec / 60,
                "format": "csv",
                "uquery": query,
            }

            def accept(answer, some=some):
                return _checked(reply.table(answer.body, _NAMES), some, ra, dec, radius_arcsec)

            skyserver.wait_for_turn(archive["query_interval_s"])
            parts.append(
                client.fetch(
                    [url],
                    what,
                    accept,
                    skyserver.REMEDY,
                    method="POST",
                    first_byte_s=archive["query_s"],
                    data=form,
                    files={"upload": ("targets", "\n".join(["name ra dec", *lines]))},
                )
            )
        return pd.concat(parts)

    def named(objID: np.ndarray) -> pd.DataFrame:
        parts = []
        for what, some in _batches(len(objID)):
            ids = ", ".join(map(str, np.unique(objID[some]).tolist()))
            query = f"SELECT {columns} FROM PhotoObjAll AS p WHERE p.objID IN ({ids})"
            parts.append(_rows(ask(query, tuple(COLUMNS), None, what)))
        asked = pd.DataFrame({"objID": objID, "number": np.arange(len(objID))})
        return asked.merge(pd.concat(parts).drop_duplicates("objID"), on="objID")

    return Finder(near, named)


def _batches(count: int) -> Iterator[tuple[str, np.ndarray]]:
    for start in range(0, count, BATCH):
        some = np.arange(start, min(start + BATCH, count))
        what = f"targets {start + 1:,} to {some[-1] + 1:,} of {count:,}"
        log.info(f"cross-identification: {what}")
        yield what, some


def _checked(answer: pa.Table, some: np.ndarray, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> pd.DataFrame:
    """The objects found, with `number`. Raises Refused for an answer to another question, or to a part of this one."""
    names = answer["number"].to_pylist()
    if sorted(set(names)) != sorted(map(str, some.tolist())):
        raise Refused(f"{len(set(names)):,} of the targets instead of {len(some):,}")
    rows = _rows(answer.filter(pc.is_valid(answer["objID"])))
    number = rows["number"].to_numpy()
    away = separation_arcsec(ra[number], dec[number], rows["ra"].to_numpy(), rows["dec"].to_numpy())
    if len(away) and away.max() > radius_arcsec + _SLACK:
        raise Refused(f"an object {away.max():.1f} arcsec from its target, beyond the {radius_arcsec:g} asked for")
    return rows


def _rows(answer: pa.Table) -> pd.DataFrame:
    kinds = {name: {"number": pa.int64()}.get(name, COLUMNS.get(name)) for name in answer.column_names}
    if not len(answer):
        return pa.table({name: pa.array([], kind) for name, kind in kinds.items()}).to_pandas()
    return conform(answer, "SkyServer's answer", columns=kinds).to_pandas()
