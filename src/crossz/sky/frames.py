"""Frames on disk: `frame-{band}-{run}-{camcol}-{field}.fits.bz2`, as the archive lays them out.

https://data.sdss.org/datamodel/files/BOSS_PHOTOOBJ/frames/RERUN/RUN/CAMCOL/frame.html: the image in nanomaggies; one
calibration value per column; the sky that was subtracted, on a coarse grid; one row of astrometry. So
image / calibration + sky is what the camera read, in DN.
"""

import bz2
from pathlib import Path
from typing import NamedTuple

import numpy as np

from crossz.core.files import atomic_path
from crossz.sdss.frames import FRAME_MINUS_FIELD
from crossz.sdss.zenith import airmass
from crossz.sky import fits
from crossz.sky.geometry import FIRST_FIELD, NODE, Strip, Tangent, great_circle

RERUN = "301"
_SECONDS_PER_FRAME = 35.8265
_SKY_CELL = 8  # pixels a cell of ALLSKY
_ASTROMETRY = np.dtype(
    [("RUN", ">i4"), ("RERUN", "S3"), ("CAMCOL", ">i4"), ("FILTER", "S1"), ("NODE", ">f8"), ("INCL", ">f8")]
    + [("NAXIS", ">i4", (2,)), ("FIELD", ">i4")]
    + [(name, ">f8") for name in "ABCDEF"]
    + [(f"D{axis}{k}", ">f8") for axis in ("ROW", "COL") for k in range(4)]
    + [(name, ">f8") for name in ("CSROW", "CSCOL", "CCROW", "CCCOL", "RICUT", "MJD", "AIRMASS")]
    + [("MUERR", ">f4"), ("NUERR", ">f4")]
)


class Exposure(NamedTuple):
    """What the camera gives of one frame.

    Attributes
    ----------
    image : array [rows, columns] of float32
        nmgy, calibrated and sky-subtracted.
    sky : array [rows, columns]
        What was subtracted, DN.
    nmgy_per_dn : array [columns]
        Calibration.
    """

    image: np.ndarray
    sky: np.ndarray
    nmgy_per_dn: np.ndarray


def path(sas: Path, strip: Strip, field: int, band: str) -> Path:
    """Where a frame lies under the root of the Science Archive Server; `field` counts from 0."""
    folder = Path(sas) / "dr17/eboss/photoObj/frames" / RERUN / str(strip.run) / str(strip.camcol)
    return folder / f"frame-{band}-{strip.run:06d}-{strip.camcol}-{FIRST_FIELD + field:04d}.fits.bz2"


def write(sas: Path, strip: Strip, field: int, band: str, tangent: Tangent, exposure: Exposure) -> None:
    """Write one frame below `sas`; `field` counts from 0."""
    image, sky, nmgy_per_dn = exposure
    number = FIRST_FIELD + field
    mjd = time(strip, field, band)
    hdus = (
        fits.primary(image, _cards(strip, number, band, tangent, mjd, float(nmgy_per_dn.mean()))),
        fits.image(nmgy_per_dn),
        fits.table(_sky_row(sky)),
        fits.table(_astrometry_row(strip, field, band, tangent, mjd)),
    )
    target = path(sas, strip, field, band)
    with atomic_path(target) as temporary:
        temporary.write_bytes(bz2.compress(b"".join(hdus), 9))


def time(strip: Strip, field: int, band: str) -> float:
    """MJD (TAI) of the first row of a frame; `field` counts from 0."""
    return strip.start + (field + FRAME_MINUS_FIELD[band]) * _SECONDS_PER_FRAME / 86400


def _cards(strip: Strip, number: int, band: str, tangent: Tangent, mjd: float, nmgy: float) -> list[tuple]:
    day = np.datetime64("1858-11-17") + np.timedelta64(int(mjd), "D")
    (cd11, cd12), (cd21, cd22) = tangent.cd
    return [
        ("BZERO", 0.0),
        ("BSCALE", 1.0),
        ("TAI", round(mjd * 86400, 2), "1st row - Number of seconds since Nov 17 1858"),
        ("DATE-OBS", str(day), "1st row - TAI date"),
        ("ORIGIN", "SDSS"),
        ("TELESCOP", "2.5m"),
        ("TIMESYS", "TAI"),
        ("RUN", strip.run, "Run number"),
        ("FRAME", number + FRAME_MINUS_FIELD[band], "Frame sequence number within the run"),
        ("STRIPE", strip.stripe, "Stripe index number (23 <--> eta=0)"),
        ("STRIP", "N", "Strip in the stripe being tracked"),
        ("FLAVOR", "science", "Flavor of this run"),
        ("NODE", NODE, "RA of the great circle's ascending node (deg)"),
        ("INCL", strip.incl, "Great circle's inclination wrt cel. eq. (deg)"),
        ("OBJECT", f"{strip.stripe} N"),
        ("EXPTIME", "53.907456", "Exposure time (seconds)"),
        ("SYSTEM", "FK5"),
        ("CCDMODE", "DRIFT"),
        ("C_OBS", 26322, "CCD row clock rate (usec/row)"),
        ("COLBIN", 1),
        ("ROWBIN", 1),
        ("EQUINOX", 2000.0),
        ("SOFTBIAS", 1000, "software bias added to all DN"),
        ("BUNIT", "nanomaggy", "1 nanomaggy = 3.631e-6 Jy"),
        ("FILTER", band, "filter used"),
        ("CAMCOL", strip.camcol, "column in the imaging camera"),
        ("VERSION", "embedded", "synthetic frame, written by crossz"),
        ("RADECSYS", "ICRS", "International Celestial Ref. System"),
        ("CTYPE1", "RA---TAN", "Coordinate type"),
        ("CTYPE2", "DEC--TAN", "Coordinate type"),
        ("CUNIT1", "deg", "Units"),
        ("CUNIT2", "deg", "Units"),
        ("CRPIX1", tangent.crpix[0], "X of reference pixel"),
        ("CRPIX2", tangent.crpix[1], "Y of reference pixel"),
        ("CRVAL1", tangent.crval[0], "RA of reference pixel (deg)"),
        ("CRVAL2", tangent.crval[1], "Dec of reference pixel (deg)"),
        ("CD1_1", cd11, "RA deg per column pixel"),
        ("CD1_2", cd12, "RA deg per row pixel"),
        ("CD2_1", cd21, "Dec deg per column pixel"),
        ("CD2_2", cd22, "Dec deg per row pixel"),
        ("NMGY", nmgy, "Calibration factor [nMgy per count]"),
        ("RERUN", RERUN, "rerun"),
    ]


def _sky_row(sky: np.ndarray) -> np.ndarray:
    """HDU 2: the sky every _SKY_CELL pixels, and where on that grid each column and row of the frame lies."""
    grid = sky[_SKY_CELL // 2 :: _SKY_CELL, _SKY_CELL // 2 :: _SKY_CELL].astype(np.float32)
    rows, columns = sky.shape
    dtype = [("ALLSKY", ">f4", grid.shape), ("XINTERP", ">f4", (columns,)), ("YINTERP", ">f4", (rows,))]
    x, y = ((np.arange(size) - _SKY_CELL // 2) / _SKY_CELL for size in (columns, rows))
    return np.array([(grid, x, y)], dtype=dtype)


def _astrometry_row(strip: Strip, field: int, band: str, tangent: Tangent, mjd: float) -> np.ndarray:
    """HDU 3: mu = A + B row + C col, nu = D + E row + F col in degrees; row and col are 0-based pixels + 0.5."""
    far = np.array([strip.columns, strip.rows])
    corners = np.array([[0, 0], [0, far[1]], [far[0], 0]]) - 0.5
    origin, top, right = great_circle(tangent.wcs().all_pix2world(corners, 0), strip.incl)
    row = np.zeros(1, _ASTROMETRY)
    row["RUN"], row["RERUN"], row["CAMCOL"], row["FILTER"] = strip.run, RERUN, strip.camcol, band
    row["NODE"], row["INCL"], row["NAXIS"], row["FIELD"] = NODE, strip.incl, far, FIRST_FIELD + field
    row["A"], row["D"] = origin
    row["B"], row["E"] = (top - origin) / far[1]
    row["C"], row["F"] = (right - origin) / far[0]
    row["RICUT"], row["MJD"], row["AIRMASS"] = 1.5, mjd, airmass(tangent.crval[0], tangent.crval[1], mjd)
    row["MUERR"] = row["NUERR"] = 0.02
    return row
