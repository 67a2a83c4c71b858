"""Rows that only train: files beside the dataset's own, with or without redshift, photometry and image (catalog.also)."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.spatial import cKDTree

from crossz.catalog.columns import REQUIRED, conform
from crossz.catalog.lists import numbers, read_table
from crossz.catalog.objects import RANGES
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.sdss.coordinates import chord, unit_vectors

log = logging.getLogger(__name__)

NOBODY = -1
"""Group of a row that is no object of the dataset."""


def write_also(
    *,
    source: str | Path,
    catalog: str | Path,
    also: str | Path,
    units: str,
    columns: Mapping[str, str],
    z: Sequence[float] | None,
    images: bool,
    extra_columns: Sequence[str] = (),
    radius_arcsec: float,
) -> None:
    """Write the rows of one file that may train beside a dataset.

    Parameters
    ----------
    source
        The file: ra and dec; z, photometry, objID and specObjID where it has them.
    catalog
        The dataset's objects with their groups (`objects.write_catalog`).
    also
        What is written: the columns of a catalog. z is NaN where it is unknown, objID negative where the row has no image,
        and group that of the dataset's object at the same place, or NOBODY.
    units
        Of the file's magnitudes.
    columns
        The file's name of each of our columns, where the two differ.
    z
        Smallest and largest redshift of the rows that are used; rows without a redshift are used in any case.
    images
        Whether rows have images, which are found by objID and specObjID.
    extra_columns
        Names of `photometry.columns`.
    radius_arcsec
        Rows within this distance are one object.

    Raises
    ------
    CrosszError
        The file lacks ra and dec, or objID where there are images, or no row is left.
    """
    table = _completed(read_table(source, columns, extra_columns, units), images, str(source), extra_columns)
    rows = conform(table, str(source), extra_columns).to_pandas()
    possible = np.all([rows[name].between(*RANGES[name]) for name in ("ra", "dec")], axis=0)
    low, high = RANGES["z"] if z is None else z
    rows = rows[possible & (rows["z"].isna() | rows["z"].between(low, high))]
    if rows.empty:
        raise CrosszError(f"{source}: none of its {len(table)} rows is used; check catalog.also: z, and ra and dec")
    ours = pd.read_parquet(catalog, columns=["ra", "dec", "group"])
    tree = cKDTree(unit_vectors(ours["ra"].to_numpy(), ours["dec"].to_numpy()))
    place = unit_vectors(rows["ra"].to_numpy(), rows["dec"].to_numpy())
    _, nearest = tree.query(place, distance_upper_bound=chord(radius_arcsec))
    group = np.append(ours["group"].to_numpy(), NOBODY)[nearest]  # no neighbour has the index len(ours)
    rows = rows.assign(group=group).sort_values("objID", ignore_index=True).drop_duplicates("objID")
    with atomic_path(also) as temporary:
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), temporary)
    log.info(f"{source}: {len(rows):,} rows, {(rows['group'] != NOBODY).sum():,} of objects of the dataset")


def _completed(table: pa.Table, images: bool, source: str, extra_columns: Sequence[str]) -> pa.Table:
    """`table` with the columns that a row need not have: redshift and photometry, and ids of rows without images."""
    if images and "objID" not in table.column_names:
        raise CrosszError(f"{source}: column objID is missing, which names the images; or set images: false")
    if not images:
        number = np.arange(1, len(table) + 1)
        table = table.drop_columns([name for name in ("objID", "specObjID") if name in table.column_names])
        table = table.append_column("objID", pa.array(-number)).append_column(
            "specObjID", pa.array(number.astype(np.uint64))
        )
    z = numbers(table["z"]) if "z" in table.column_names else np.full(len(table), np.nan)
    made = {"z": z, "zErr": np.zeros(len(table)), "specObjID": np.zeros(len(table), np.uint64)}
    empty = np.full(len(table), np.nan)
    made |= {name: empty for name in (*REQUIRED, *extra_columns) if name not in (*made, "objID", "ra", "dec")}
    for name, values in made.items():
        if name in ("z", "zErr") and name in table.column_names:
            table = table.drop_columns([name])
        if name not in table.column_names:
            table = table.append_column(name, pa.array(values))
    return table
