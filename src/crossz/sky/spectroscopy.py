"""Spectroscopic files of the quasars: `spec-PLATE-MJD-FIBER.fits`, lite layout, rebuilt from the truth alone."""

import logging
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.constants import BANDS
from crossz.core.files import atomic_path
from crossz.sdss.spectra import spectrum_path
from crossz.sky import filters, fits, seds

log = logging.getLogger(__name__)

_GRIDS = {"26": (3.5800, 3840), "v5_13_2": (3.5535, 4620)}
"""By run2d: log10 of the first vacuum wavelength, number of pixels; 1e-4 a pixel, as in SDSS-I/II and in (e)BOSS."""
_BAND_CENTRES = np.array([3551.0, 4686.0, 6166.0, 7480.0, 8932.0])
_COADD = np.dtype([
    ("flux", ">f4"), ("loglam", ">f4"), ("ivar", ">f4"), ("and_mask", ">i4"), ("or_mask", ">i4"), ("wdisp", ">f4"),
    ("sky", ">f4"), ("model", ">f4"),
])  # fmt: skip
_SPECOBJ = np.dtype([
    ("SURVEY", "S6"), ("RUN2D", "S7"), ("SPECOBJID", "S22"), ("BESTOBJID", "S19"), ("PLATE", ">i4"), ("MJD", ">i4"),
    ("FIBERID", ">i4"), ("PLUG_RA", ">f8"), ("PLUG_DEC", ">f8"), ("CLASS", "S6"), ("SUBCLASS", "S21"), ("Z", ">f4"),
    ("Z_ERR", ">f4"), ("ZWARNING", ">i4"), ("SN_MEDIAN", ">f4", (5,)), ("SN_MEDIAN_ALL", ">f4"),
])  # fmt: skip
_SPZLINE = np.dtype([
    ("PLATE", ">i4"), ("MJD", ">i4"), ("FIBERID", ">i4"), ("LINENAME", "S13"), ("LINEWAVE", ">f8"), ("LINEZ", ">f4"),
])  # fmt: skip
_LINES = {
    "Ly_alpha": 1215.67,
    "C_IV 1549": 1549.48,
    "C_III] 1908": 1908.734,
    "Mg_II 2799": 2800.315,
    "H_beta": 4862.683,
}


def write_spectra(
    *,
    truth: str | Path,
    sas: str | Path,
    seed: int,
    plates: Collection[int] | None = None,
    progress: Callable[[str], None] = log.info,
) -> int:
    """Write the spectra of the quasars.

    Flux in 1e-17 erg/s/cm^2/A, reddened by the Galaxy as in real files; its noise has the snMedian of SpecObjAll. A
    file whose redshift failed holds a normal spectrum all the same: the pipeline was wrong, not the light.

    Parameters
    ----------
    truth
        What `build.build` wrote.
    sas
        What is written: the root of the spectra.
    seed
        The survey's.
    plates
        Only spectra of these plates are written; None means all.
    progress
        Called with a line after each strip.

    Returns
    -------
    int
        How many files were written.
    """
    written = 0
    source = pq.ParquetFile(truth)
    for group in range(source.num_row_groups):
        quasars = source.read_row_group(group).to_pandas()
        rows = [(at, row) for at, own in enumerate(quasars["spectra"]) for row in own]
        rows = [(at, row) for at, row in rows if plates is None or row["plate"] in plates]
        for run2d, (first, pixels) in _GRIDS.items():
            loglam = first + 1e-4 * np.arange(pixels)
            chosen = [(at, row) for at, row in rows if row["run2d"] == run2d]
            for k in range(0, len(chosen), 100):
                part = chosen[k : k + 100]
                model = _model(quasars.iloc[[at for at, _ in part]], 10**loglam)
                for flux, (_, row) in zip(model, part, strict=True):
                    _write(sas, seed, row, loglam, flux)
            written += len(chosen)
        if rows:
            progress(f"sky: spectra of {group + 1}/{source.num_row_groups} strips: {written} files")
    return written


def _model(quasars: pd.DataFrame, wavelength: np.ndarray) -> np.ndarray:
    """Noiseless spectra [n, p] of rows of the truth, 1e-17 erg/s/cm^2/A."""
    flux = seds.spectra(quasars[list(seds.PARAMETERS)], quasars["z"].to_numpy(), wavelength)
    flux *= quasars["amplitude"].to_numpy()[:, None] * 1e17
    curve = np.interp(np.log(wavelength), np.log(_BAND_CENTRES), filters.EXTINCTION)
    return flux * 10 ** (-0.4 * quasars["ebv"].to_numpy()[:, None] * curve)


def _write(sas: str | Path, seed: int, row: dict, loglam: np.ndarray, model: np.ndarray) -> None:
    rng = np.random.default_rng([seed, 20, int(row["specObjID"])])
    # The S/N of each band holds at its centre, for the model smoothed over a band's width.
    sn = np.interp(loglam, np.log10(_BAND_CENTRES), [row[f"snMedian_{band}"] for band in BANDS])
    level = np.interp(loglam, np.log10(_BAND_CENTRES), [_median(model, loglam, c) for c in _BAND_CENTRES])
    sigma = np.maximum(level, 1e-3) / np.maximum(sn, 1e-3)
    coadd = np.zeros(len(loglam), _COADD)
    coadd["flux"] = model + sigma * rng.standard_normal(len(loglam))
    coadd["loglam"], coadd["ivar"], coadd["model"] = loglam, sigma**-2, model
    coadd["wdisp"], coadd["sky"] = 1.0, sigma
    specobj = np.zeros(1, _SPECOBJ)
    for column, value in {
        "SURVEY": "eboss" if row["run2d"].startswith("v5") else "sdss", "RUN2D": row["run2d"],
        "SPECOBJID": row["specObjID"], "BESTOBJID": str(row["bestObjID"]),
        "PLATE": row["plate"], "MJD": row["mjd"], "FIBERID": row["fiberID"],
        "PLUG_RA": row["ra"], "PLUG_DEC": row["dec"], "CLASS": row["class"], "SUBCLASS": "BROADLINE",
        "Z": row["z"], "Z_ERR": row["zErr"], "ZWARNING": row["zWarning"],
        "SN_MEDIAN": [row[f"snMedian_{band}"] for band in BANDS], "SN_MEDIAN_ALL": np.median(sn),
    }.items():  # fmt: skip
        specobj[column] = value
    lines = np.zeros(len(_LINES), _SPZLINE)
    lines["PLATE"], lines["MJD"], lines["FIBERID"], lines["LINEZ"] = row["plate"], row["mjd"], row["fiberID"], row["z"]
    lines["LINENAME"], lines["LINEWAVE"] = list(_LINES), list(_LINES.values())
    cards = [("TELESCOP", "SDSS 2.5-M"), ("PLATEID", row["plate"]), ("MJD", row["mjd"]), ("FIBERID", row["fiberID"])]
    cards += [("PLUG_RA", row["ra"]), ("PLUG_DEC", row["dec"]), ("RUN2D", row["run2d"]), ("VACUUM", True)]
    cards += [("COEFF0", float(loglam[0])), ("COEFF1", 1e-4), ("BUNIT", "1E-17 erg/cm^2/s/Ang")]
    target = spectrum_path(sas, row["plate"], row["mjd"], row["fiberID"], row["run2d"])
    name = "SPALL" if row["run2d"].startswith("v5") else "SPECOBJ"
    content = (
        fits.primary(None, cards)
        + fits.table(coadd, "COADD")
        + fits.table(specobj, name)
        + fits.table(lines, "SPZLINE")
    )
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def _median(model: np.ndarray, loglam: np.ndarray, centre: float) -> float:
    first, last = np.searchsorted(loglam, np.log10([centre * 0.93, centre * 1.07]))
    return float(np.median(model[first : max(last, first + 1)])) if first < len(loglam) else float(model[-1])
