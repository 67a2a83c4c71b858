"""Spectra of SDSS as files: where a lite file lies, reading and checking it.

Every SDSS spectrum is sampled at whole multiples of 1e-4 in log10 of the vacuum wavelength.
"""

import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import read_file, refusing
from crossz.sdss.hdus import BLOCK, hdus

STEP = 1e-4
"""Width of a pixel, log10 of the wavelength: 69 km/s."""
MOST = 8 << 20
"""Bytes of a file; most have 0.2 MB, those with many exposures some more."""


class SpectrumID(NamedTuple):
    """What names a spectrum of SDSS."""

    plate: int
    mjd: int
    fiberID: int
    run2d: str


class Coadd(NamedTuple):
    """Pixels of one spectrum.

    Attributes
    ----------
    flux : array [p]
        1e-17 erg/s/cm^2/A.
    loglam : array [p]
        log10 of the vacuum wavelength in A.
    ivar : array [p]
        1 / variance of the flux.
    and_mask : array [p] of int64
        Bits of spPixelMask that are set in all exposures.
    """

    flux: np.ndarray
    loglam: np.ndarray
    ivar: np.ndarray
    and_mask: np.ndarray


def spectrum_path(root: str | Path, plate: int, mjd: int, fiberID: int, run2d: str) -> Path:
    """Path of a lite spectrum below `root`, laid out as the Science Archive Server of DR17.

    Spectra of SDSS-I/II have a number as `run2d` (26, 103, 104), those of BOSS and eBOSS a version (v5_13_2). Raises
    CrosszError for anything else, which might be a way out of `root`.
    """
    if not re.fullmatch("[0-9]{1,9}|v[0-9]{1,9}(_[0-9]{1,9}){1,3}", run2d):
        raise CrosszError(f"run2d {run2d[:50]!r}: not a reduction of SDSS, such as 26 or v5_13_2; correct the catalog")
    survey = "eboss" if run2d.startswith("v") else "sdss"
    folder = Path(root, "dr17", survey, "spectro/redux", run2d, "spectra/lite", f"{plate:04d}")
    return folder / f"spec-{plate:04d}-{mjd}-{fiberID:04d}.fits"


def check(body: bytes, plate: int, mjd: int, fiberID: int) -> Coadd:
    """The pixels of a spectrum, checked as far as they can be: SDSS writes no checksum into these files.

    Parameters
    ----------
    body
        All bytes of the file.
    plate, mjd, fiberID
        Which spectrum it must be.

    Raises
    ------
    Refused
        Checked are: that every byte is there that the headers announce; PLATEID, MJD and FIBERID of the header; that
        the table COADD has numbers of one length on an even wavelength grid of 1e-4 dex between 1,000 and 100,000 A,
        finite fluxes, and inverse variances that are finite and not negative.
    """
    if not body.startswith(b"SIMPLE") or len(body) % BLOCK or len(body) > MOST:
        raise Refused(f"no whole FITS file ({len(body)} bytes, starts with {body[:20]!r})")
    parts = hdus(body)
    with refusing("damaged FITS"), warnings.catch_warnings(action="ignore"):
        names = tuple(parts[0].header.get(name) for name in ("PLATEID", "MJD", "FIBERID"))
        table = next((hdu for hdu in parts if hdu.header.get("EXTNAME") == "COADD"), None)
        if table is None or table.header.get("XTENSION") != "BINTABLE":
            raise Refused("damaged FITS (no table COADD)")
        coadd = fits.BinTableHDU.fromstring(body[table.begin : table.end]).data
        columns = [np.asarray(coadd[name]) for name in ("flux", "loglam", "ivar", "and_mask")]
    if names != (plate, mjd, fiberID):
        raise Refused(f"header says PLATEID, MJD, FIBERID = {names}, expected {(plate, mjd, fiberID)}")
    kinds = "".join(column.dtype.kind for column in columns)
    if kinds not in ("fffi", "fffu") or {column.shape for column in columns} != {(len(coadd),)}:
        raise Refused("its table COADD has other columns than numbers")
    flux, loglam, ivar = (column.astype(float) for column in columns[:3])
    if not len(loglam) or not (loglam[0] > 3 and loglam[-1] < 5):
        raise Refused("its wavelengths are none of light")
    if not np.abs(np.diff(loglam) - STEP).max(initial=0) <= 1e-5:
        raise Refused("its wavelengths are no even grid of 1e-4 dex")
    if not np.isfinite(flux).all() or not ((ivar >= 0) & (ivar < np.inf)).all():
        raise Refused("fluxes that are not finite, or negative inverse variances")
    return Coadd(flux, loglam, ivar, columns[3].astype(np.int64))


def read(path: str | Path) -> Coadd:
    """The checked pixels of a file under its archive name. Raises CrosszError, naming it, when it is damaged."""
    path = Path(path)
    try:
        return check(read_file(path, MOST), *(int(part) for part in path.stem.split("-")[1:]))
    except Refused as error:
        raise CrosszError(f"{path}: {error}; delete it and rerun, or put a good copy there") from error
