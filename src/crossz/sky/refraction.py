"""Differential refraction: the air spreads each source into a short spectrum that points to the zenith.

A band's image of a source lies nearer to the zenith, the bluer the light in that band is. The astrometric calibration takes
out what the mean star shows. What is left of a quasar tells where its emission lines are (Kaczmarczik et al. 2009, AJ 138,
19): up to some 50 mas in u and g.
"""

import numpy as np

from crossz.core.constants import BANDS

_PRESSURE, _TEMPERATURE = 550.0, 7.0  # mm Hg, degrees Celsius: usual at 2,788 m
_CENTRES = np.array([3551.0, 4686.0, 6166.0, 7480.0, 8932.0])
_MEAN_STAR = np.array([1.80, 0.68, 0.25, 0.10])
"""u-g, g-r, r-i, i-z of the stars that the calibration rests on, in the middle of the locus."""


def refraction(wavelength: np.ndarray) -> np.ndarray:
    """Arcseconds by which dry air lifts light at zenith angle 45 degrees, for vacuum wavelengths in Angstrom (Filippenko 1982)."""
    inverse = (wavelength / 1e4) ** -2.0
    at_sea = 64.328 + 29498.1 / (146 - inverse) + 255.4 / (41 - inverse)
    air = (
        _PRESSURE * (1 + (1.049 - 0.0157 * _TEMPERATURE) * 1e-6 * _PRESSURE) / (720.883 * (1 + 0.003661 * _TEMPERATURE))
    )
    return 206265e-6 * at_sea * air


def of_colours(flux: np.ndarray, weighted: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """Refraction of smooth spectra that have these broad-band fluxes.

    Parameters
    ----------
    flux : array [n, 5]
        nmgy.
    weighted : array [p, 5]
        Response of each band on `wavelength`, for f_lambda.
    wavelength : array [p]

    Returns
    -------
    array [n, 5]
        Arcseconds at 45 degrees, as `refraction`.
    """
    log_flux = np.log(np.maximum(flux, 1e-4))
    at, centres = np.log(wavelength), np.log(_CENTRES)
    place = np.clip(np.searchsorted(centres, at) - 1, 0, len(centres) - 2)
    share = (at - centres[place]) / np.diff(centres)[place]  # beyond the outer centres a power law goes on
    spectra = np.exp(log_flux[:, place] * (1 - share) + log_flux[:, place + 1] * share - 2 * at)
    return of_spectra(spectra, weighted, wavelength)


def of_spectra(spectra: np.ndarray, weighted: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """As `of_colours`, of f_lambda [n, p] on `wavelength`."""
    return (spectra @ (weighted * refraction(wavelength)[:, None])) / np.maximum(spectra @ weighted, 1e-300)


def mean_star(weighted: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """As `of_colours`, of the star that the calibration rests on: [5]."""
    below_r = -np.r_[_MEAN_STAR[:2].sum(), _MEAN_STAR[1], 0, -_MEAN_STAR[2], -_MEAN_STAR[2:].sum()]
    assert len(below_r) == len(BANDS)
    return of_colours(10 ** (0.4 * below_r)[None], weighted, wavelength)[0]
