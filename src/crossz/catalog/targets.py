"""Targets without photometry: from positions or objIDs in a user's table to objects of the archive.

Every row of the user's table comes back, with what became of it.
"""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.spatial import cKDTree

from crossz.catalog import plan
from crossz.catalog.columns import FIELD, REQUIRED
from crossz.catalog.lists import read_list
from crossz.core.constants import BANDS, OK
from crossz.core.files import atomic_path
from crossz.core.names import MALFORMED, NO_MATCH
from crossz.sdss.coordinates import chord, separation_arcsec, unit_vectors

log = logging.getLogger(__name__)

COLUMNS: dict[str, pa.DataType] = {
    name: kind for name, kind in REQUIRED.items() if name not in ("specObjID", "z", "zErr")
} | {name: pa.int32() for name in FIELD} | {f"dered_{band}": pa.float64() for band in BANDS}  # fmt: skip
"""What is asked of PhotoObjAll for an object without a spectrum."""
_INTEGER = re.compile(r"[0-9]{1,19}")
_RANGE = {"ra": (0.0, 360.0), "dec": (-90.0, 90.0)}


class Finder(NamedTuple):
    """What finds objects of PhotoObjAll. Both functions give rows of COLUMNS and `number`, the place in what was asked.

    Attributes
    ----------
    near
        `near(ra [n], dec [n], radius_arcsec)`: primary objects around positions in degrees, any number each.
    named
        `named(objID [n])`: the objects of these ids.
    """

    near: Callable[[np.ndarray, np.ndarray, float], pd.DataFrame]
    named: Callable[[np.ndarray], pd.DataFrame]


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """What each target names, as far as it is well-formed.

    Parameters
    ----------
    table
        objID, or ra and dec, of any type.

    Returns
    -------
    DataFrame
        objID (Int64), ra and dec (float, degrees), null where they are not what they should be; status (OK or
        MALFORMED) and `why` the target is malformed.
    """
    none = pd.Series([None] * len(table), index=table.index, dtype=object)
    texts = {name: _text(table[name]) if name in table else none for name in ("objID", "ra", "dec")}
    numbers = {name: pd.to_numeric(texts[name], errors="coerce").astype(float) for name in _RANGE}
    ids = [int(text) if isinstance(text, str) and _INTEGER.fullmatch(text) else None for text in texts["objID"]]
    objID = pd.Series(
        pd.array([number if number and number < 1 << 63 else None for number in ids], "Int64"), table.index
    )
    why = np.full(len(table), "", object)
    named = texts["objID"].notna().to_numpy()
    wrong = named & objID.isna().to_numpy()
    why[wrong] = [
        f"objID '{text}' is no 64-bit integer; ids lose digits in a float: write them as text"
        for text in texts["objID"][wrong]
    ]
    for name, (low, high) in _RANGE.items():
        inside = numbers[name].between(low, high, inclusive="left" if name == "ra" else "both").to_numpy()
        wrong = ~inside & ~named & (why == "")
        why[wrong] = [
            f"{name} is missing" if pd.isna(text) else f"{name} '{text}' is not {low:g} to {high:g} degrees"
            for text in texts[name][wrong]
        ]
    targets = pd.DataFrame({"objID": objID} | numbers)
    return targets.assign(status=np.where(why == "", OK, MALFORMED), why=why)


def _text(column: pd.Series) -> pd.Series:
    texts = column.astype("string").str.strip()
    return texts.where(texts.notna() & (texts != "") & (texts.str.lower() != "nan")).astype(object)


def matched(table: pd.DataFrame, finder: Finder, radius_arcsec: float) -> pd.DataFrame:
    """Match targets with objects of the archive.

    Parameters
    ----------
    table
        objID, or ra and dec in degrees; other columns are kept.
    finder
        What finds objects.
    radius_arcsec
        How far an object may lie from a position.

    Returns
    -------
    DataFrame
        A row for each row of `table`, in their order: row; status (OK, MALFORMED, NO_MATCH) and why; objID and
        COLUMNS of the object with that id, or of the nearest primary object within the radius; separation_arcsec from
        the target's own position (null without one); duplicate_of, the row of the first target with the same object
        (null for that one); and the other columns of `table` (photometry.columns).
    """
    targets = checked(table.reset_index(drop=True))
    usable = targets["status"] == OK
    by_id = np.flatnonzero(usable & targets["objID"].notna())
    by_place = np.flatnonzero(usable & targets["objID"].isna())
    parts = []
    if len(by_id):
        parts.append((by_id, finder.named(targets["objID"].to_numpy(np.int64, na_value=0)[by_id])))
    if len(by_place):
        ra, dec = (targets[name].to_numpy()[by_place] for name in _RANGE)
        parts.append((by_place, finder.near(ra, dec, radius_arcsec)))
    matches = pd.concat([part.assign(row=rows[part["number"].to_numpy(int)]) for rows, part in parts] or [_nothing()])
    place = targets.loc[matches["row"], ["ra", "dec"]].to_numpy()
    matches["separation_arcsec"] = separation_arcsec(
        place[:, 0], place[:, 1], matches["ra"].to_numpy(), matches["dec"].to_numpy()
    )
    matches = matches.sort_values(["row", "separation_arcsec", "objID"]).drop_duplicates("row").set_index("row")
    integers = dict.fromkeys(("objID", *FIELD), "Int64")  # a plain integer with gaps would become a float
    nearest = matches[[*COLUMNS, "separation_arcsec"]].astype(integers).reindex(targets.index)
    nearest = nearest.rename(columns={"ra": "match_ra", "dec": "match_dec"})
    lost = usable & nearest["objID"].isna()
    status = targets["status"].mask(lost, NO_MATCH)
    why = targets["why"].mask(lost & targets["objID"].isna(), f"no primary object within {radius_arcsec:g} arcsec")
    why = why.mask(lost & targets["objID"].notna(), "no object has this objID")
    first = pd.Series(targets.index, targets.index).groupby(nearest["objID"]).transform("min")
    duplicate = first.where(first != targets.index).astype("Int64")
    asked = {"objID": nearest["objID"].fillna(targets["objID"]), "ra": targets["ra"].fillna(nearest["match_ra"])}
    asked["dec"] = targets["dec"].fillna(nearest["match_dec"])
    rows = nearest.drop(columns="objID").assign(status=status, why=why, duplicate_of=duplicate, **asked)
    rows.insert(0, "row", targets.index)
    others = table.reset_index(drop=True)
    return rows.join(others[[name for name in others if name not in rows]])


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in (*COLUMNS, "number", "row")}, dtype=float).astype({"row": int})


def finder_of(objects: pd.DataFrame) -> Finder:
    """A finder among objects in memory: that of the embedded sky.

    Parameters
    ----------
    objects
        COLUMNS and mode of each object.
    """
    primary = objects[objects["mode"] == 1].reset_index(drop=True)
    tree = cKDTree(unit_vectors(primary["ra"].to_numpy(), primary["dec"].to_numpy()))

    def near(ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> pd.DataFrame:
        inside = tree.query_ball_point(unit_vectors(ra, dec), chord(radius_arcsec))
        number = np.repeat(np.arange(len(ra)), [len(places) for places in inside])
        return primary.iloc[[place for places in inside for place in places]][list(COLUMNS)].assign(number=number)

    def named(objID: np.ndarray) -> pd.DataFrame:
        asked = pd.DataFrame({"objID": objID, "number": np.arange(len(objID))})
        return asked.merge(objects[list(COLUMNS)].drop_duplicates("objID"), on="objID")

    return Finder(near, named)


def write_matched(
    *,
    table: str | Path,
    targets: str | Path,
    catalog: str | Path,
    columns: dict[str, str],
    units: str | None = None,
    extra_columns: Sequence[str] = (),
    radius_arcsec: float,
    finder: Finder,
) -> None:
    """Match a user's table with the archive and write the rows, and a catalog of the different objects.

    Parameters
    ----------
    table
        The user's table; `columns` maps its names to ours, `extra_columns` are kept, `units` are those of its magnitudes.
    targets, catalog
        Written: `matched` of the table, and one row for each different object, for the plan of cutouts.
    radius_arcsec
        Largest separation of a target and its object.
    finder
        What finds objects of the archive.
    """
    rows = matched(read_list(table, (), columns, extra_columns, units).known.to_pandas(), finder, radius_arcsec)
    log.info(
        f"{table}: {len(rows):,} targets: "
        + ", ".join(f"{status} {count:,}" for status, count in rows["status"].value_counts().items())
        + f"; {rows['duplicate_of'].notna().sum():,} are the object of an earlier row"
    )
    objects = rows[(rows["status"] == OK) & rows["duplicate_of"].isna()].rename(
        columns={"ra": "asked_ra", "dec": "asked_dec"}
    )
    objects = objects.rename(columns={"match_ra": "ra", "match_dec": "dec"}).assign(specObjID=0)[plan.COLUMNS]
    kinds = {name: kind for name, kind in COLUMNS.items() if name in plan.COLUMNS} | {"specObjID": pa.uint64()}
    schema = pa.schema([(name, kinds[name]) for name in plan.COLUMNS])
    with atomic_path(catalog) as temporary:
        pq.write_table(pa.Table.from_pandas(objects, schema, preserve_index=False), temporary)
    with atomic_path(targets) as temporary:
        rows.to_parquet(temporary, index=False)
