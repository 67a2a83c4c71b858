"""Targets without photometry: from positions or objIDs in a user's table to objects of the archive, none of them lost."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.spatial import cKDTree

from crossz.catalog import plan
from crossz.catalog.columns import FIELD, REQUIRED
from crossz.catalog.readers import read_table
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.core.names import BANDS

log = logging.getLogger(__name__)

COLUMNS: dict[str, pa.DataType] = {
    name: kind for name, kind in REQUIRED.items() if name not in ("specObjID", "z", "zErr")
} | {name: pa.int32() for name in FIELD} | {f"dered_{band}": pa.float64() for band in BANDS}  # fmt: skip
"""What is asked of PhotoObjAll for an object without a spectrum."""
OK, MALFORMED, NO_MATCH = "ok", "malformed", "no_match"
_INTEGER = re.compile(r"[0-9]{1,19}")
_RANGE = {"ra": (0.0, 360.0), "dec": (-90.0, 90.0)}


class Finder(NamedTuple):
    """What finds objects of PhotoObjAll: both functions give rows of COLUMNS and `number`, the place in what was asked.

    near(ra [n], dec [n], radius_arcsec): primary objects around positions in degrees, any number each.
    named(objID [n]): the objects of these ids.
    """

    near: Callable[[np.ndarray, np.ndarray, float], pd.DataFrame]
    named: Callable[[np.ndarray], pd.DataFrame]


def positional(path: str | Path, mapped: Mapping[str, str]) -> bool:
    """Whether the targets of a table have to be found in the archive: it has no magnitudes of its own.

    Raises CrosszError when it has neither magnitudes nor ra and dec, nor objID.
    """
    names = set(read_table(path, dict(mapped)).column_names)
    if any(f"{kind}_{band}" in names for kind in ("dered", "psfMag") for band in BANDS):
        return False
    if not ({"ra", "dec"} <= names or "objID" in names):
        raise CrosszError(
            f"{path}: no ra and dec (degrees), no objID and no magnitudes (dered_u ... z, psfMagErr_u ... z); "
            "name its columns so, or map them in catalog.columns"
        )
    return True


def checked(table: pd.DataFrame) -> pd.DataFrame:
    """objID (Int64), ra, dec (degrees) of each row, as far as they are what they should be, status (ok, malformed) and why."""
    none = pd.Series([None] * len(table), index=table.index, dtype=object)
    texts = {name: _text(table[name]) if name in table else none for name in ("objID", "ra", "dec")}
    numbers = {name: pd.to_numeric(texts[name], errors="coerce").astype(float) for name in _RANGE}
    ids = [int(text) if isinstance(text, str) and _INTEGER.fullmatch(text) else None for text in texts["objID"]]
    objID = pd.Series(pd.array([one if one and one < 1 << 63 else None for one in ids], "Int64"), table.index)
    why = pd.Series("", index=table.index)
    named = texts["objID"].notna()
    why[named & objID.isna()] = (
        "objID '"
        + texts["objID"].astype(str)
        + "' is no 64-bit integer; ids lose digits in a float: write them as text"
    )
    for name, (low, high) in _RANGE.items():
        wrong = ~numbers[name].between(low, high, inclusive="left" if name == "ra" else "both") & ~named & (why == "")
        said = np.where(
            texts[name].isna(), "is missing", "'" + texts[name].astype(str) + f"' is not {low:g} to {high:g} degrees"
        )
        why[wrong] = (name + " " + pd.Series(said, index=table.index))[wrong]
    found = pd.DataFrame({"objID": objID} | numbers)
    return found.assign(status=np.where(why == "", OK, MALFORMED), why=why.to_numpy())


def _text(column: pd.Series) -> pd.Series:
    texts = column.astype("string").str.strip()
    return texts.where(texts.notna() & (texts != "") & (texts.str.lower() != "nan")).astype(object)


def matched(table: pd.DataFrame, finder: Finder, radius_arcsec: float) -> pd.DataFrame:
    """A row for each row of `table` (objID, or ra and dec in degrees), in their order, with what the archive has of it.

    Columns: row; status (ok, malformed, no_match) and why; objID and COLUMNS of the object with that id, or of the nearest primary
    object within `radius_arcsec`; separation_arcsec from the target's own position (null without one); duplicate_of, the row of the
    first target with the same object (null for that one); and whatever else `table` has (photometry.columns).
    """
    targets = checked(table.reset_index(drop=True))
    usable = targets["status"] == OK
    by_id, by_place = (
        np.flatnonzero(usable & targets["objID"].notna()),
        np.flatnonzero(usable & targets["objID"].isna()),
    )
    parts = []
    if len(by_id):
        parts.append((by_id, finder.named(targets["objID"].to_numpy(np.int64, na_value=0)[by_id])))
    if len(by_place):
        ra, dec = (targets[name].to_numpy()[by_place] for name in _RANGE)
        parts.append((by_place, finder.near(ra, dec, radius_arcsec)))
    found = pd.concat([part.assign(row=rows[part["number"].to_numpy(int)]) for rows, part in parts] or [_nothing()])
    place = targets.loc[found["row"], ["ra", "dec"]].to_numpy()
    found["separation_arcsec"] = separation_arcsec(*place.T, found["ra"].to_numpy(), found["dec"].to_numpy())
    found = found.sort_values(["row", "separation_arcsec", "objID"]).drop_duplicates("row").set_index("row")
    integers = dict.fromkeys(("objID", *FIELD), "Int64")  # a plain integer with gaps would become a float
    whole = found[[*COLUMNS, "separation_arcsec"]].astype(integers).reindex(targets.index)
    whole = whole.rename(columns={"ra": "match_ra", "dec": "match_dec"})
    lost = usable & whole["objID"].isna()
    status = targets["status"].mask(lost, NO_MATCH)
    why = targets["why"].mask(lost & targets["objID"].isna(), f"no primary object within {radius_arcsec:g} arcsec")
    why = why.mask(lost & targets["objID"].notna(), "no object has this objID")
    first = pd.Series(targets.index, targets.index).groupby(whole["objID"]).transform("min")
    duplicate = first.where(first != targets.index).astype("Int64")
    asked = {"objID": whole["objID"].fillna(targets["objID"]), "ra": targets["ra"].fillna(whole["match_ra"])}
    asked["dec"] = targets["dec"].fillna(whole["match_dec"])
    whole = whole.drop(columns="objID").assign(status=status, why=why, duplicate_of=duplicate, **asked)
    whole.insert(0, "row", targets.index)
    more = table.reset_index(drop=True)
    return whole.join(more[[name for name in more if name not in whole]])


def _nothing() -> pd.DataFrame:
    return pd.DataFrame({name: [] for name in (*COLUMNS, "number", "row")}, dtype=float).astype({"row": int})


def separation_arcsec(ra: np.ndarray, dec: np.ndarray, ra2: np.ndarray, dec2: np.ndarray) -> np.ndarray:
    """Angles [n] in arcsec between positions in degrees; NaN where one is."""
    return np.degrees(2 * np.arcsin(np.linalg.norm(_vector(ra, dec) - _vector(ra2, dec2), axis=1) / 2)) * 3600


def _vector(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    lon, lat = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def finder_of(objects: pd.DataFrame) -> Finder:
    """A finder among `objects`, rows of COLUMNS and mode, all in memory: the embedded sky's."""
    primary = objects[objects["mode"] == 1].reset_index(drop=True)
    tree = cKDTree(_vector(primary["ra"].to_numpy(), primary["dec"].to_numpy()))

    def near(ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> pd.DataFrame:
        chord = 2 * np.sin(np.radians(radius_arcsec / 3600) / 2)
        found = tree.query_ball_point(_vector(ra, dec), chord)
        number = np.repeat(np.arange(len(ra)), [len(places) for places in found])
        return primary.iloc[[place for places in found for place in places]][list(COLUMNS)].assign(number=number)

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
    extra_columns: Sequence[str] = (),
    radius_arcsec: float,
    finder: Finder,
) -> None:
    """Match a user's table with the archive and write the rows, and a catalog of the different objects.

    Parameters
    ----------
    table
        The user's table; `columns` maps its names to ours, `extra_columns` are kept.
    targets, catalog
        Written: `matched` of the table, and one row for each different object, for the plan of cutouts.
    radius_arcsec
        Largest separation of a target and its object.
    finder
        What finds objects of the archive.
    """
    rows = matched(read_table(table, columns, extra_columns).to_pandas(), finder, radius_arcsec)
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
