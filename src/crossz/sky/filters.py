"""Broad-band fluxes of spectra through the SDSS filters.

Fluxes are in nanomaggies: 1 nmgy is magnitude 22.5 on the AB scale.
"""

import functools

import numpy as np
import speclite.filters

from crossz.core.constants import BANDS

SDSS_MINUS_AB = np.array([0.04, 0.0, 0.0, 0.0, -0.02])
"""SDSS minus AB magnitude: u_AB = u_SDSS - 0.04, z_AB = z_SDSS + 0.02 (SDSS photometric flux calibration)."""
EXTINCTION = np.array([5.155, 3.793, 2.751, 2.086, 1.479])
"""A_b / E(B-V) of ugriz, as in the column extinction_b (Schlegel, Finkbeiner & Davis 1998, Table 6)."""
WAVELENGTH = 10 ** np.arange(np.log10(2960.0), np.log10(11260.0), 6e-4)
"""Observed wavelength in Angstrom [p] of the spectra from which broad-band fluxes are made: 4 to 16 Angstrom a step."""
_FLAMBDA_AB = 3631e-23 * 2.99792458e18  # erg/s/cm^2 Angstrom: f_lambda = this / lambda^2 is magnitude 0


@functools.cache
def weights() -> np.ndarray:
    """Weights [p, 5]: f_lambda (erg/s/cm^2/A) on WAVELENGTH @ weights = nmgy in the five bands."""
    step = np.gradient(WAVELENGTH)
    weights = np.empty((len(WAVELENGTH), len(BANDS)))
    for column, band in enumerate(BANDS):
        response = speclite.filters.load_filter(f"sdss2010-{band}")
        photons = np.interp(WAVELENGTH, response.wavelength, response.response, left=0, right=0) * WAVELENGTH * step
        weights[:, column] = photons / np.sum(photons * _FLAMBDA_AB / WAVELENGTH**2)
    return weights * 1e9 * 10 ** (-0.4 * SDSS_MINUS_AB)


def fluxes(spectra: np.ndarray) -> np.ndarray:
    """Fluxes [n, 5] in nmgy, SDSS system, of `spectra` [n, p]: f_lambda in erg/s/cm^2/A on WAVELENGTH."""
    return spectra @ weights()
