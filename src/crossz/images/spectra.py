"""Spectra of objects on one grid of observed wavelengths, in one Arrow file a shard.

Every SDSS spectrum is sampled at whole multiples of 1e-4 in log10 of the vacuum wavelength, so that coming onto the
common grid is a shift by whole pixels and nothing is interpolated but the gaps.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.constants import OK
from crossz.core.errors import CrosszError
from crossz.core.files import digests, write_json
from crossz.images.arrow import write_arrays
from crossz.sdss.spectra import STEP, Coadd, SpectrumID

log = logging.getLogger(__name__)

FIRST = 3.5830
"""log10 of the first vacuum wavelength of the common grid (3828 A): where the last of the SDSS-I/II spectra begin."""
PIXELS = 3600
"""Pixels of the common grid; it ends at 8769 A, within SDSS-I/II and (e)BOSS alike."""

MISSING = "missing_spectrum"
"""Status of an object whose spectrum the archive does not have."""
EMPTY = "empty_spectrum"
"""Status of an object whose spectrum has no good pixel on the common grid."""

_BAD = 1 << 18 | 1 << 22 | 1 << 23 | 1 << 24  # FULLREJECT, NOSKY, BRIGHTSKY, NODATA: bits of spPixelMask
_LARGEST = float(np.finfo(np.float16).max)


def resample(
    flux: np.ndarray, loglam: np.ndarray, ivar: np.ndarray, and_mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put a spectrum on the common grid of observed wavelengths.

    Parameters
    ----------
    flux, loglam, ivar, and_mask : array [p]
        As in `sdss.spectra.Coadd`.

    Returns
    -------
    flux : array [3600] of float32
        In units of the median of |flux| over the ok pixels, which unlike the median of the flux is positive for noise
        too. Interpolated where a pixel is not ok (at an end: repeated); 0 without an ok pixel.
    ok : array [3600] of bool
        False outside the spectrum, where ivar is 0, and where the mask says that nothing was measured or that the sky
        was too bright to subtract.
    """
    pixel = np.rint((loglam - FIRST) / STEP).astype(int)
    good = (pixel >= 0) & (pixel < PIXELS) & (ivar > 0) & (and_mask & _BAD == 0)
    ok = np.zeros(PIXELS, bool)
    scale = np.median(np.abs(flux[good])) if good.any() else 0.0
    if scale == 0:
        return np.zeros(PIXELS, np.float32), ok
    ok[pixel[good]] = True
    return (np.interp(np.arange(PIXELS), pixel[good], flux[good]) / scale).astype(np.float32), ok


def identify(plan: pd.DataFrame, catalogs: Sequence[pd.DataFrame]) -> list[SpectrumID]:
    """Which spectrum each object of a plan has.

    Parameters
    ----------
    plan
        specObjID of each object.
    catalogs
        specObjID, plate, mjd, fiberID, run2d.

    Raises
    ------
    CrosszError
        The catalogs do not say.
    """
    known = pd.concat([catalog[["specObjID", *SpectrumID._fields]] for catalog in catalogs])
    rows = plan[["specObjID"]].merge(known.drop_duplicates("specObjID"), on="specObjID", how="left")
    if rows.isna().any(axis=None):
        absent = ", ".join(name for name in SpectrumID._fields if rows[name].isna().any())
        raise CrosszError(f"{absent} missing for some objects: add them to the query, or set mml.datasets: []")
    names = zip(*(rows[name] for name in SpectrumID._fields), strict=True)
    return [SpectrumID(int(plate), int(mjd), int(fiberID), str(run2d).strip()) for plate, mjd, fiberID, run2d in names]


def write_spectra(
    *,
    plan: str | Path,
    catalogs: Sequence[str | Path],
    spectra: str | Path,
    counts: str | Path,
    source: Callable[[Sequence[SpectrumID]], Iterable[Coadd | None]],
) -> None:
    """Put the spectra of a shard's objects in some catalogs on the common grid; write them, and the account of every one.

    Parameters
    ----------
    plan
        Path of the shard's plan.
    catalogs
        Paths of catalogs that say which spectrum an object has. Other objects of the plan get none.
    spectra
        Path of the store. Columns: objID, status, flux [3600] float16 (units: `resample`), ok [450] uint8, packed bits.
    counts
        Path of the account.
    source
        Gives the pixels of each spectrum asked for, in their order, None where the archive has none
        (archive.spectra.Spectra).
    """
    columns = ["specObjID", *SpectrumID._fields]
    known = [pq.read_table(path, columns=columns).to_pandas() for path in catalogs]
    planned = pq.read_table(plan, columns=["objID", "specObjID"]).to_pandas()
    objects = planned[planned["specObjID"].isin(pd.concat(known)["specObjID"])]
    wanted = identify(objects, known)
    flux, ok = np.zeros((len(objects), PIXELS), np.float16), np.zeros((len(objects), PIXELS), bool)
    status = []
    for row, coadd in enumerate(source(wanted)):
        if coadd is not None:
            pixels, ok[row] = resample(*coadd)
            flux[row] = np.clip(pixels, -_LARGEST, _LARGEST)
        status.append(MISSING if coadd is None else OK if ok[row].any() else EMPTY)
        if len(status) % 200 == 0 or len(status) == len(objects):
            log.info(f"{plan}: {len(status):,} of {len(objects):,} spectra")
    arrays = {"objID": objects["objID"].to_numpy(), "status": status, "flux": flux, "ok": np.packbits(ok, axis=1)}
    write_arrays(spectra, arrays)
    kinds = {kind: status.count(kind) for kind in sorted({OK, *status})}
    write_json(counts, {"objects": len(objects), "status": kinds, "sha256": digests(spectra)})
