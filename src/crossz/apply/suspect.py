"""Photometry that cannot be: it contradicts itself or the object's image. The redshift is not used."""

import numpy as np

from crossz.apply.apertures import SHARE
from crossz.models.features import Photometry
from crossz.sdss.magnitudes import SOFTENING

SIGMAS = 5.0
"""A contradiction of so many standard deviations counts."""
_BREAK = 10**-0.4  # of g over r, or r over i: one magnitude, as a break at a redshift beyond 3.5 makes it
_BREAK_SIGMAS = 3.0
_U_OVER_BLUE = 10 ** (-0.4 * 0.5)  # u over the band below the break: beyond the Lyman limit, hardly any light is left
_APERTURE_SCATTER = 0.1  # of flux in an aperture over that of the magnitude


def photometry_suspect(
    phot: Photometry, extinction: np.ndarray, flux: np.ndarray, noise: np.ndarray, extended: bool
) -> np.ndarray:
    """Whether the photometry of n objects cannot be.

    Parameters
    ----------
    phot
        Of n objects.
    extinction
        [n, 5] mag, by which they were dereddened; NaN where unknown, and then their images are not compared.
    flux
        [n, 5] nmgy in the aperture of their images (`aperture_flux`), NaN without any.
    noise
        [5] its standard deviation over empty sky (`aperture_noise`).
    extended
        Whether the magnitudes count light beyond the aperture, as those of models do. Then an image may be fainter.

    Returns
    -------
    np.ndarray
        [n] bool. True where g falls short of r, or r of i, by a magnitude, as at the redshifts whose Lyman limit lies
        beyond u, and yet u is nearly as bright as the fainter of the two. Also true where a magnitude and its image
        contradict each other.
    """
    light, error = fluxes(phot.mag, phot.err)
    found = np.zeros(len(light), bool)
    with np.errstate(invalid="ignore"):
        for blue, red in ((1, 2), (2, 3)):
            short = light[:, red] * _BREAK - light[:, blue]
            is_break = short > _BREAK_SIGMAS * np.hypot(error[:, blue], error[:, red] * _BREAK)
            excess = light[:, 0] - light[:, blue] * _U_OVER_BLUE
            found |= is_break & (excess > SIGMAS * np.hypot(error[:, 0], error[:, blue] * _U_OVER_BLUE))
        light, error = fluxes(phot.mag + extinction, phot.err)
        scatter = _APERTURE_SCATTER * np.maximum(np.abs(light * SHARE), np.abs(flux))
        deviation = (flux - light * SHARE) / np.sqrt(noise**2 + (error * SHARE) ** 2 + scatter**2)
        return found | ((deviation if extended else np.abs(deviation)) > SIGMAS).any(1)


def fluxes(mag: np.ndarray, err: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fluxes and errors [n, 5] in nmgy of asinh magnitudes and errors."""
    size = 2e9 * SOFTENING
    flux = size * np.sinh(-mag * np.log(10) / 2.5 - np.log(SOFTENING))
    return flux, err * np.log(10) / 2.5 * np.hypot(flux, size)
