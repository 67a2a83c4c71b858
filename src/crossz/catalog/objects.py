"""The catalog: what a row is, reading a finished query, one row per objID, groups of one quasar.

A catalog row is a match of one spectrum (SpecObjAll) with one photometric object (PhotoObjAll). Values stay as the
archive gave them: NULL, -9999 and 0 magnitudes are kept apart here and masked where features are made.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from crossz.catalog.class_names import cleaned_class
from crossz.catalog.columns import conform
from crossz.catalog.readers import read_table
from crossz.core.errors import CrosszError, fail_if
from crossz.core.files import atomic_path, digests, sha256, write_json

log = logging.getLogger(__name__)


def dedupe(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """One row per objID, the one with the smallest valid zErr (ties: the smallest specObjID), sorted by objID; and counts.

    A row is valid when zErr > 0 and z is finite: the pipeline's failed fits have zErr = -1, and "the smallest" would
    prefer them. The result does not depend on the order of `rows`, and deduping it again changes nothing.
    """
    valid = rows[(rows["zErr"] > 0) & np.isfinite(rows["z"])]
    ordered = valid.sort_values(["objID", "zErr", "specObjID"], ignore_index=True)
    unique = ordered.drop_duplicates("objID", ignore_index=True)
    counts = {
        "rows": len(rows),
        "dropped_failed_fit": len(rows) - len(valid),
        "dropped_repeated_objID": len(valid) - len(unique),
        "objects": len(unique),
    }
    return unique, counts


def groups(
    ra: np.ndarray, dec: np.ndarray, thing_id: np.ndarray, objID: np.ndarray, radius_arcsec: float
) -> np.ndarray:
    """Group [n] int64 of each object: objects within `radius_arcsec` of each other (chains count) or of one thing_id.

    ra, dec [n] in degrees; thing_id [n] with values <= 0 meaning none. A group's name is its smallest objID, so it does
    not depend on the order of objects. Needed because several objIDs of one quasar must never be torn apart
    between train, validation and test.
    """
    lon, lat = np.radians(ra), np.radians(dec)
    xyz = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    chord = 2 * np.sin(np.radians(radius_arcsec / 3600) / 2)
    pairs = cKDTree(xyz).query_pairs(chord, output_type="ndarray")
    known = np.flatnonzero(thing_id > 0)
    ordered = known[np.argsort(thing_id[known], kind="stable")]
    same = thing_id[ordered][1:] == thing_id[ordered][:-1]
    links = np.concatenate([pairs, np.stack([ordered[:-1][same], ordered[1:][same]], axis=1)])
    graph = coo_array((np.ones(len(links), bool), links.T), shape=(len(ra), len(ra)))
    _, label = connected_components(graph, directed=False)
    smallest = np.full(label.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, label, objID)
    return smallest[label]


def write_raw(
    table: pa.Table,
    source: str,
    path: str | Path,
    receipt_path: str | Path,
    receipt: dict,
    extra_columns: Sequence[str] = (),
) -> None:
    """Check `table` against the row schema and write it, with a receipt that says where the rows came from."""
    table = conform(table, source, extra_columns)
    empty = [name for name in extra_columns if not pc.any(pc.greater(table[name].cast(pa.float64()), -9999)).as_py()]
    fail_if([f"column {name} of photometry.columns holds no value; take it out of there" for name in empty], source)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)
    write_json(receipt_path, receipt | {"rows": len(table), "sha256": digests(path)})


def write_user_catalog(
    source_path: str | Path,
    columns: dict[str, str],
    raw_path: str | Path,
    receipt_path: str | Path,
    extra_columns: Sequence[str] = (),
) -> None:
    """Check a finished query that the user brought, and write its rows under our names, with a receipt."""
    table = read_table(source_path, columns, extra_columns)
    receipt = {"source": str(source_path), "source_sha256": sha256(source_path)}
    write_raw(table, str(source_path), raw_path, receipt_path, receipt, extra_columns)


def write_catalog(
    raw_path: str | Path,
    catalog_path: str | Path,
    counts_path: str | Path,
    radius_arcsec: float,
    classes: Sequence[str] = (),
) -> None:
    """Dedupe and group the rows of `raw_path`; write one row per objID, and the account of every row.

    With `classes` (classification), rows of other classes are dropped first. A failed fit is dropped there too: its class is
    as uncertain as its redshift; a star's fit has a valid zErr.
    """
    raw = pq.read_table(raw_path)
    rows = raw.to_pandas()
    wanted = cleaned_class(rows["class"]).isin(classes).to_numpy(bool) if classes else np.ones(len(rows), bool)
    if not wanted.any():
        raise CrosszError(f"{raw_path}: no row's class is one of {', '.join(classes)}; select class in the query")
    catalog, counts = dedupe(rows[wanted])
    if classes:
        counts = {"rows": len(rows), "dropped_other_class": int((~wanted).sum())} | {**counts, "rows": len(rows)}
    if catalog.empty:
        raise CrosszError(
            f"{raw_path}: none of its {counts['rows']} rows has a valid redshift (zErr > 0); check zErr and z of the query"
        )
    thing_id = catalog["thing_id"].fillna(-1).to_numpy(np.int64)
    group = groups(
        catalog["ra"].to_numpy(),
        catalog["dec"].to_numpy(),
        thing_id,
        catalog["objID"].to_numpy(),
        radius_arcsec,
    )
    counts["groups"] = len(np.unique(group))
    schema = raw.schema.remove_metadata().append(pa.field("group", pa.int64()))
    with atomic_path(catalog_path) as temporary:
        pq.write_table(pa.Table.from_pandas(catalog.assign(group=group), schema, preserve_index=False), temporary)
    log.info(", ".join(f"{name} {count:,}" for name, count in counts.items()))
    write_json(counts_path, counts | {"sha256": digests(catalog_path)})
