"""The nearest source of external surveys beside each object, as further columns of a catalog.

Who finds the sources is passed in. An object without a source has nulls, which the models are told of by a flag for each
column (`models.features`).
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, digests, write_json
from crossz.core.surveys import SURVEYS, Survey
from crossz.sdss.coordinates import separation_arcsec, unit_vectors

log = logging.getLogger(__name__)

SDSS_EPOCH = 2004.0
"""Middle of SDSS's imaging, Julian year: 1998.7 to 2009.9. A catalog does not say when its objects were observed."""
MARGIN_ARCSEC = 5.0
"""How much farther than the radius sources with proper motions are sought: one of 0.4 arcsec/yr moves so far until 2016."""
_MAS = np.radians(1 / 3.6e6)


class Find(Protocol):
    """Finds the sources of a survey around positions."""

    def __call__(self, name: str, ra: np.ndarray, dec: np.ndarray, radius_arcsec: float) -> pd.DataFrame:
        """All sources of the survey `name` within the radius of `ra`, `dec` [n], in any order.

        Columns: number, the place in what was asked; ra, dec, as the survey gives them; and its columns under our names.
        """


def moved(
    ra: np.ndarray, dec: np.ndarray, pm_ra: np.ndarray, pm_dec: np.ndarray, years: float
) -> tuple[np.ndarray, np.ndarray]:
    """Positions after `years` of proper motion.

    r + (p pm_ra + q pm_dec) t, where r is the unit vector of the position, and p and q point east and north. Parallax and
    radial velocity, which matter for the nearest stars alone, are left out.

    Parameters
    ----------
    ra, dec : array [n]
        Degrees.
    pm_ra, pm_dec : array [n]
        Proper motions, mas/yr, `pm_ra` with the factor cos(dec). NaN: none.
    years
        Julian years, negative into the past.

    Returns
    -------
    ra, dec : array [n]
        Degrees.

    References
    ----------
    ESA (1997), The Hipparcos and Tycho Catalogues, ESA SP-1200, volume 1, section 1.5.5.
    """
    lon, lat = np.radians(ra), np.radians(dec)
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros(len(lon))], axis=1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=1)
    angle = np.nan_to_num(np.stack([pm_ra, pm_dec], axis=1)) * _MAS * years
    x, y, z = (unit_vectors(ra, dec) + angle[:, :1] * east + angle[:, 1:] * north).T
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def search_radius(survey: Survey, radius_arcsec: float) -> float:
    """How far sources have to be sought, so that none is missed that was within the radius when SDSS observed it."""
    return radius_arcsec + (MARGIN_ARCSEC if survey.epoch else 0.0)


def nearest(
    ra: np.ndarray, dec: np.ndarray, sources: pd.DataFrame, survey: Survey, radius_arcsec: float
) -> pd.DataFrame:
    """The nearest source of each position at the epoch of SDSS.

    Parameters
    ----------
    ra, dec : array [n]
        Degrees.
    sources
        What `Find` gives.
    survey
        Where they come from.
    radius_arcsec
        Largest separation at the epoch of SDSS.

    Returns
    -------
    DataFrame
        n rows: the columns of `survey`, and separation (arcsec); null where there is no source.
    """
    place = sources["ra"].to_numpy(float), sources["dec"].to_numpy(float)
    if survey.epoch and survey.motion:
        pm_ra, pm_dec = (sources[name].to_numpy(float) for name in survey.motion)
        place = moved(*place, pm_ra, pm_dec, SDSS_EPOCH - survey.epoch)
    number = sources["number"].to_numpy(np.int64)
    found = sources.assign(separation=separation_arcsec(ra[number], dec[number], *place))
    found = found[found["separation"] <= radius_arcsec]
    columns = [*survey.columns, "separation"]
    ordered = found.sort_values(["number", "separation", *survey.columns])  # two at one place: always the same one
    return ordered.drop_duplicates("number").set_index("number")[columns].astype(float).reindex(range(len(ra)))


def write_crossmatched(
    *,
    catalog: str | Path,
    crossmatched: str | Path,
    counts: str | Path,
    radii_arcsec: Mapping[str, float],
    position: Sequence[str] = ("ra", "dec"),
    training: bool = True,
    find: Find,
) -> None:
    """Write a catalog with the columns of external surveys, and how many objects each of them has.

    Parameters
    ----------
    catalog
        A catalog, or matched targets.
    crossmatched, counts
        Written. A survey's columns are followed by {survey}_separation, arcsec, which no model sees.
    radii_arcsec
        For each survey: the largest separation.
    position
        The columns of right ascension and declination, degrees. A row without a position has no source.
    training
        Models are trained on the columns, so that each survey must have a source of one object at least.
    find
        What finds sources.

    Raises
    ------
    CrosszError
        A survey has no source of any object.
    """
    table = pq.read_table(catalog)
    ra, dec = (table[name].to_numpy().astype(float) for name in position)
    asked = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    found = {}
    for name, radius in radii_arcsec.items():
        survey = SURVEYS[name]
        sources = find(name, ra[asked], dec[asked], search_radius(survey, radius))
        match = nearest(ra[asked], dec[asked], sources, survey, radius).set_axis(asked).reindex(range(len(table)))
        found[name] = int(match["separation"].notna().sum())
        if training and not found[name]:
            raise CrosszError(
                f"{catalog}: {name} has no source within {radius:g} arcsec of any object; "
                f"check ra and dec, or take {name} out of photometry.crossmatch"
            )
        for column in match:
            ours = f"{name}_separation" if column == "separation" else column
            table = table.append_column(ours, pa.array(match[column].to_numpy(), pa.float64(), from_pandas=True))
        log.info(f"{name}: {found[name]:,} of {len(asked):,} objects have a source within {radius:g} arcsec")
    with atomic_path(crossmatched) as temporary:
        pq.write_table(table, temporary)
    write_json(counts, {"objects": len(table), "found": found, "sha256": digests(crossmatched)})
