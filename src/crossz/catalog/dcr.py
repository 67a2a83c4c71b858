"""Differential chromatic refraction as columns: how far the air moved each band, towards the zenith and across.

An emission line in the blue part of u moves u's centroid towards the zenith, away from where the colour of the object alone
would put it (Kaczmarczik et al. 2009, AJ 138, 19). SDSS gives the centroid of each band minus that of r, through the
astrometric solution of each band, as offsetRa_* and offsetDec_*, and the time TAI_r, from which the zenith follows.
"""

import numpy as np
import pyarrow as pa

from crossz.core.names import DCR
from crossz.sdss.zenith import zenith

_BANDS = "ugiz"
SOURCES = (*(f"offset{axis}_{band}" for axis in ("Ra", "Dec") for band in _BANDS), "TAI_r")
"""Columns of PhotoObjAll, arcsec and seconds, that these are computed from, beside ra and dec."""


def columns(table: pa.Table) -> dict[str, pa.Array]:
    """The columns DCR of the rows of a query; none if it has not all of SOURCES.

    `dcr_u` ... `dcr_z` are offsets towards the zenith, `across_u` ... `across_z` those at right angles, arcsec, and
    `zenith_tan` is the tangent of the zenith angle, which refraction is proportional to. Null where one of SOURCES is, or
    is a mark for a missing value.
    """
    theirs = {name.lower(): name for name in table.column_names}
    if not all(name.lower() in theirs for name in (*SOURCES, "ra", "dec")):
        return {}

    def values(name: str) -> np.ndarray:
        column = table[theirs[name.lower()]].cast(pa.float64()).to_numpy(zero_copy_only=False)
        return np.where(column > -9999, column, np.nan)

    time = values("TAI_r")
    up = zenith(values("ra"), values("dec"), np.where(time > 0, time, np.nan) / 86400)
    tangent = np.linalg.norm(up, axis=1)
    east, north = (up / tangent[:, None]).T
    result = {}
    for band in _BANDS:
        ra, dec = values(f"offsetRa_{band}"), values(f"offsetDec_{band}")
        result[f"dcr_{band}"] = ra * east + dec * north
        result[f"across_{band}"] = ra * north - dec * east
    result["zenith_tan"] = tangent
    return {name: pa.array(result[name], from_pandas=True) for name in DCR}
