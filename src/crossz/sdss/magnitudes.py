"""The magnitudes of SDSS: asinh magnitudes, which a faint or negative flux has too."""

import numpy as np

SOFTENING = np.array([1.4e-10, 0.9e-10, 1.2e-10, 1.8e-10, 7.4e-10])
"""Softening b of the asinh magnitudes, ugriz, in maggies (Lupton, Gunn & Szalay 1999; SDSS DR7, Table 21)."""


def asinh_magnitude(
    flux: np.ndarray, error: np.ndarray, softening: np.ndarray = SOFTENING
) -> tuple[np.ndarray, np.ndarray]:
    """Asinh magnitudes and their errors, [..., 5] each, of fluxes and errors in nmgy (Lupton et al. 1999, eq. 3).

    With the `softening` of one band, all of them are of that band.
    """
    x = np.asarray(flux) * 1e-9
    magnitude = -2.5 / np.log(10) * (np.arcsinh(x / (2 * softening)) + np.log(softening))
    return magnitude, 2.5 / np.log(10) * np.asarray(error) * 1e-9 / np.hypot(x, 2 * softening)
