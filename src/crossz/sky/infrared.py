"""W1 and W2: forced photometry of WISE at the places of the catalog, as table wise_forcedTarget has it.

Magnitudes and nanomaggies are in the Vega system: W1_AB = W1 + 2.699, W2_AB = W2 + 3.339 (Jarrett et al. 2011, ApJ 735, 112).
"""

import numpy as np
import pandas as pd

from crossz.sky import seds
from crossz.sky.sources import Sources

VEGA_TO_AB = np.array([2.699, 3.339])
BANDS = ("w1", "w2")
_PASS = ((27800.0, 38800.0), (39800.0, 53200.0))  # Angstrom: where the response is above a third of its peak
_SAMPLES = 24  # wavelengths a band: the spectra are smooth there, but for H-alpha
_DUST_TEMPERATURE = 1250.0  # K
_DUST_AT, _DUST_OVER_DISC = 23000.0, 2.0  # rest Angstrom, and the ratio there: medians of type 1 quasars
_BLUER_FROM, _BLUER = 7000.0, 0.45  # the disc alone is bluer than disc, host and dust together, which ugriz show
_DUST_SCATTER = 0.13  # dex
_SIGMA = np.array([26.0, 70.0])  # nmgy: 5 sigma at W1 = 17.2 and W2 = 16.1, the depth of the coadds (Lang et al. 2016)
_COVERED = 0.985
_EXTINCTION = np.array([0.19, 0.15])  # A / E(B-V) (Yuan, Liu & Xiang 2013)
_OTHERS = ((1.35, 0.0), (2.2, 0.25))  # stars, galaxies: z - W1 (AB - Vega), W1 - W2; rough
_FLAMBDA_AB = 3631e-23 * 2.99792458e18  # erg/s/cm^2 Angstrom: f_lambda = this / lambda^2 is magnitude 0

COLUMNS = {"objID": "INTEGER", "ra": "REAL", "dec": "REAL", "has_wise_phot": "INTEGER"} | {
    f"{band}_{name}": "REAL" for band in BANDS for name in ("nanomaggies", "nanomaggies_ivar", "mag", "mag_err")
}
"""SQLite types of the table. A magnitude of a flux below 0 is -9999."""


def quasar_fluxes(rng: np.random.Generator, quasars: pd.DataFrame) -> np.ndarray:
    """W1 and W2 [n, 2] of quasars in nmgy (Vega): the spectra of ugriz continued, and hot dust.

    Dust that is heated to where it sublimates is a black body of 1,250 K: it lifts the spectrum redward of 1 micron
    (Glikman et al. 2006, ApJ 640, 579).

    Parameters
    ----------
    rng
        The random generator: of how much dust there is.
    quasars : DataFrame [n]
        What `population.quasars` drew.
    """
    z = quasars["z"].to_numpy()
    dusty = _DUST_OVER_DISC * 10 ** rng.normal(0, _DUST_SCATTER, len(z))
    result = np.empty((len(z), len(BANDS)))
    for column, (low, high) in enumerate(_PASS):
        wavelength = np.geomspace(low, high, _SAMPLES)
        rest = wavelength / (1 + z[:, None])
        disc = seds.spectra(quasars[list(seds.PARAMETERS)], z, wavelength)
        disc *= np.maximum(rest / _BLUER_FROM, 1) ** -_BLUER
        at_bump = seds.continuum(quasars, np.full((len(z), 1), _DUST_AT))
        dust = (dusty[:, None] * at_bump) * _black_body(rest) / _black_body(np.array(_DUST_AT))
        weight = wavelength**2  # photons, in equal steps of ln(wavelength)
        mean = ((disc + dust) @ weight) / np.sum(_FLAMBDA_AB * np.ones(_SAMPLES))
        result[:, column] = mean * quasars["amplitude"] * 1e9 * 10 ** (0.4 * VEGA_TO_AB[column])
    return result


def _black_body(wavelength: np.ndarray) -> np.ndarray:
    """Relative f_lambda at _DUST_TEMPERATURE."""
    return wavelength**-5.0 / np.expm1(1.43877e8 / (wavelength * _DUST_TEMPERATURE))


def rows(rng: np.random.Generator, sources: Sources, photo: pd.DataFrame) -> pd.DataFrame:
    """The rows of COLUMNS for the primary rows of PhotoObjAll; `photo` has a column `source`."""
    primary = photo[photo["mode"] == 1]
    flux = np.empty((len(sources.flux), len(BANDS)))
    n = len(sources.quasars)
    flux[:n] = quasar_fluxes(rng, sources.quasars) * 10 ** (-0.4 * sources.ebv[:n, None] * _EXTINCTION)
    for part, (z_w1, w1_w2) in zip((slice(n, sources.galaxy0), slice(sources.galaxy0, None)), _OTHERS, strict=True):
        flux[part] = sources.flux[part, -1:] * 10 ** (0.4 * np.array([z_w1, z_w1 + w1_w2]))
    flux = flux[primary["source"]]
    seen = flux + _SIGMA * rng.standard_normal(flux.shape)
    error = np.hypot(_SIGMA, 0.02 * seen)
    positive = seen > 0
    magnitude = np.where(positive, 22.5 - 2.5 * np.log10(np.where(positive, seen, 1)), -9999)
    magnitude_error = np.where(positive, 2.5 / np.log(10) * error / np.where(positive, seen, 1), -9999)
    table = primary[["objID", "ra", "dec"]].assign(has_wise_phot=(rng.random(len(primary)) < _COVERED).astype(int))
    for b, band in enumerate(BANDS):
        table[f"{band}_nanomaggies"], table[f"{band}_nanomaggies_ivar"] = (
            seen[:, b].round(4),
            error[:, b].round(4) ** -2,
        )
        table[f"{band}_mag"], table[f"{band}_mag_err"] = magnitude[:, b].round(5), magnitude_error[:, b].round(5)
    return table[table["has_wise_phot"] == 1]
