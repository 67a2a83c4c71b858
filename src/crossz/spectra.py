"""A spectrum of SDSS on disk, in the lite layout: where it lies, and checking it."""

import io
import re
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits

from crossz.errors import Refused

_BLOCK = 2880  # bytes, FITS standard


def spectrum_path(root: str | Path, plate: int, mjd: int, fiberID: int, run2d: str) -> Path:
    """Path of a lite spectrum below `root`, as in the Science Archive Server of DR17.

    Spectra of SDSS-I/II have a number as `run2d` (26, 103, 104), those of BOSS and eBOSS a version (v5_13_2).
    """
    survey = "eboss" if re.match("v[0-9]", run2d) else "sdss"
    folder = Path(root, "dr17", survey, "spectro/redux", run2d, "spectra/lite", f"{plate:04d}")
    return folder / f"spec-{plate:04d}-{mjd}-{fiberID:04d}.fits"


def check(body: bytes, plate: int, mjd: int, fiberID: int) -> None:
    """Raise Refused unless `body` is the whole spectrum `plate`-`mjd`-`fiberID`: as much as can be told without a checksum.

    SDSS writes none into these files. Checked: every byte that its headers announce, the header's PLATEID, MJD and FIBERID, a COADD table with
    an even wavelength grid of 1e-4 dex, finite fluxes, inverse variances that are not negative.
    """
    if not body.startswith(b"SIMPLE") or len(body) % _BLOCK:
        raise Refused(f"no whole FITS file ({len(body)} bytes, starts with {body[:20]!r})")
    try:
        with warnings.catch_warnings(action="ignore"), fits.open(io.BytesIO(body), memmap=False) as hdus:
            header, coadd = hdus[0].header, hdus["COADD"].data
            last = hdus[len(hdus) - 1].fileinfo()
            found = tuple(header.get(name) for name in ("PLATEID", "MJD", "FIBERID"))
            flux, loglam, ivar = (np.asarray(coadd[name], float) for name in ("flux", "loglam", "ivar"))
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        raise Refused(f"damaged FITS ({error})") from error
    if last["datLoc"] + last["datSpan"] != len(body):
        raise Refused(f"{len(body)} bytes, its headers say {last['datLoc'] + last['datSpan']}")
    if found != (plate, mjd, fiberID):
        raise Refused(f"header says PLATEID, MJD, FIBERID = {found}, expected {(plate, mjd, fiberID)}")
    if not len(loglam) or np.abs(np.diff(loglam) - 1e-4).max(initial=0) > 1e-5:
        raise Refused("its wavelengths are no even grid of 1e-4 dex")
    if not np.isfinite(flux).all() or not (ivar >= 0).all():
        raise Refused("fluxes that are not finite, or negative inverse variances")
