"""From the rows of a finished query to one row per objID, in groups that are one quasar each."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from crossz.catalog.class_names import cleaned_class
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, digests, write_json
from crossz.sdss.coordinates import chord, unit_vectors

log = logging.getLogger(__name__)

RANGES = {"objID": (1, np.inf), "ra": (0.0, 360.0), "dec": (-90.0, 90.0), "z": (-0.05, 20.0)}
"""What can be: degrees, and redshifts; the largest blueshift of a star is 0.005. Ends count; NaN is outside."""


def dedupe(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Keep one row per objID: the row with the smallest valid zErr, of equal ones that with the smallest specObjID.

    A row is valid when zErr > 0 and both are finite: the pipeline's failed fits have zErr = -1, and "the smallest" would
    prefer them. A row whose redshift, position or objID cannot be one (`RANGES`) is dropped first. The result does not depend on the order of `rows`, and deduping it again changes nothing.

    Parameters
    ----------
    rows
        objID, specObjID, z, zErr, and any other columns.

    Returns
    -------
    unique
        The rows kept, sorted by objID.
    counts
        How many rows there were, were dropped for each reason, and were kept.
    """
    possible = rows[np.all([rows[name].between(*ends) for name, ends in RANGES.items() if name in rows], axis=0)]
    valid = possible[(possible["zErr"] > 0) & np.isfinite(possible["zErr"])]
    ordered = valid.sort_values(["objID", "zErr", "specObjID"], ignore_index=True)
    unique = ordered.drop_duplicates("objID", ignore_index=True)
    counts = {
        "rows": len(rows),
        "dropped_impossible": len(rows) - len(possible),
        "dropped_failed_fit": len(possible) - len(valid),
        "dropped_repeated_objID": len(valid) - len(unique),
        "objects": len(unique),
    }
    return unique, counts


def groups(
    ra: np.ndarray, dec: np.ndarray, thing_id: np.ndarray, objID: np.ndarray, radius_arcsec: float
) -> np.ndarray:
    """Group objects that are one quasar, so that they are never torn apart between train, validation and test.

    Two objects are of one group when they lie within `radius_arcsec` of each other, or have one thing_id; chains count.

    Parameters
    ----------
    ra, dec : array [n]
        Degrees.
    thing_id : array [n] of int64
        Values <= 0 mean none.
    objID : array [n] of int64
    radius_arcsec

    Returns
    -------
    array [n] of int64
        The smallest objID of each object's group: it does not depend on the order of the objects.
    """
    pairs = cKDTree(unit_vectors(ra, dec)).query_pairs(chord(radius_arcsec), output_type="ndarray")
    known = np.flatnonzero(thing_id > 0)
    ordered = known[np.argsort(thing_id[known], kind="stable")]
    same = thing_id[ordered][1:] == thing_id[ordered][:-1]
    links = np.concatenate([pairs, np.stack([ordered[:-1][same], ordered[1:][same]], axis=1)])
    graph = coo_array((np.ones(len(links), bool), links.T), shape=(len(ra), len(ra)))
    _, label = connected_components(graph, directed=False)
    smallest = np.full(label.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, label, objID)
    return smallest[label]


def write_catalog(
    *,
    raw: str | Path,
    catalog: str | Path,
    counts: str | Path,
    radius_arcsec: float,
    classes: Sequence[str] = (),
) -> None:
    """Dedupe and group the rows of a query; write one row per objID, and the account of every row.

    Parameters
    ----------
    raw
        Rows as `write_raw` wrote them.
    catalog, counts
        What is written.
    radius_arcsec
        Objects within this distance are one group.
    classes
        Classification only: rows of other classes are dropped first. A failed fit is dropped there too: its class is as
        uncertain as its redshift. A star's fit has a valid zErr.

    Raises
    ------
    CrosszError
        No row is left.
    """
    table = pq.read_table(raw)
    rows = table.to_pandas()
    wanted = cleaned_class(rows["class"]).isin(classes).to_numpy(bool) if classes else np.ones(len(rows), bool)
    if not wanted.any():
        raise CrosszError(f"{raw}: no row's class is one of {', '.join(classes)}; select class in the query")
    objects, account = dedupe(rows[wanted])
    if classes:
        account = {"rows": len(rows), "dropped_other_class": int((~wanted).sum())} | {**account, "rows": len(rows)}
    if objects.empty:
        raise CrosszError(
            f"{raw}: none of its {account['rows']} rows has a valid redshift (zErr > 0): {account['dropped_impossible']} have an "
            f"impossible z or position, {account['dropped_failed_fit']} a failed fit; check z, zErr, ra and dec of the query"
        )
    thing_id = objects["thing_id"].fillna(-1).to_numpy(np.int64)
    ra, dec, objID = (objects[name].to_numpy() for name in ("ra", "dec", "objID"))
    group = groups(ra, dec, thing_id, objID, radius_arcsec)
    account["groups"] = len(np.unique(group))
    schema = table.schema.remove_metadata().append(pa.field("group", pa.int64()))
    with atomic_path(catalog) as temporary:
        pq.write_table(pa.Table.from_pandas(objects.assign(group=group), schema, preserve_index=False), temporary)
    log.info(", ".join(f"{name} {count:,}" for name, count in account.items()))
    write_json(counts, account | {"sha256": digests(catalog)})
