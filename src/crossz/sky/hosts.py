"""Galaxies around quasars: the hosts, and a few in front."""

import numpy as np
import pandas as pd

from crossz.core.constants import BANDS
from crossz.sky import filters, population
from crossz.sky import galaxies as templates

FOREGROUND = 0.015
"""Share of quasars with a galaxy before them."""
_FOREGROUND_R = (18.8, 21.3)
_FOREGROUND_ARCSEC = (0.4, 3.0)
_FAINTEST = 0.01  # of the quasar's flux in its host's best band: a fainter host is left out
_LSTAR_R, _LSTAR_Z, _LSTAR_KPC = 17.3, 0.1, 4.0  # as population.main_galaxies has it
_GRID = np.linspace(0, 7, 1401)


def luminosity_distance(z: np.ndarray) -> np.ndarray:
    """Mpc, in a flat universe of H0 = 70 km/s/Mpc and Omega_m = 0.3."""
    per_z = 4282.7 / np.sqrt(0.3 * (1 + _GRID) ** 3 + 0.7)
    comoving = np.concatenate([[0], np.cumsum((per_z[1:] + per_z[:-1]) / 2 * np.diff(_GRID))])
    return (1 + z) * np.interp(z, _GRID, comoving)


def hosts(rng: np.random.Generator, quasars: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw the host of every quasar, and keep those that an image can show.

    The brighter the quasar, the brighter its host: L ~ L_quasar^0.35 with 0.25 dex of scatter, 2 L* for a quasar of M_i =
    -23.3 (after Shen et al. 2011, ApJS 194, 45, and Matsuoka et al. 2014, ApJ 780, 162: blue and compact for their mass).

    Parameters
    ----------
    rng
        The random generator.
    quasars : DataFrame [n]
        What `population.quasars` drew.

    Returns
    -------
    flux : array [k, 5]
        Intrinsic, nmgy.
    shapes : array [k, 4]
        As in `Sources`.
    of : array [k] of int
        Whose they are.
    """
    z = quasars["z"].to_numpy()
    light = quasars[[f"flux_{band}" for band in BANDS]].to_numpy()
    young, scatter, spread = rng.beta(2, 4, len(z)), rng.normal(0, 0.25, len(z)), rng.normal(0, 0.12, len(z))
    ratio, angle = rng.uniform(0.5, 1, len(z)), rng.uniform(0, np.pi, len(z))
    star_flux = (
        10 ** (0.4 * (22.5 - _LSTAR_R)) * (luminosity_distance(np.array(_LSTAR_Z)) / luminosity_distance(z)) ** 2
    )
    brightness = np.log10(light[:, BANDS.index("i")] / star_flux)  # of the quasar, over L*
    luminosity = 10 ** (0.3 + 0.35 * (brightness - 0.85) + scatter)
    spectra = templates.spectra(young, np.full(len(z), 0.05), z, filters.WAVELENGTH)
    at_lstar = filters.fluxes(
        templates.spectra(np.array([0.2]), np.array([0.05]), np.array([_LSTAR_Z]), filters.WAVELENGTH)
    )
    relative = filters.fluxes(spectra) / at_lstar[0, BANDS.index("r")] * (1 + _LSTAR_Z) / (1 + z[:, None])
    flux = luminosity[:, None] * star_flux[:, None] * relative
    kpc = _LSTAR_KPC * luminosity**0.4 * 10**spread
    half_light = np.clip(206.265 * kpc * (1 + z) ** 2 / luminosity_distance(z), 0.2, 6.0)
    of = np.flatnonzero((flux / light).max(axis=1) > _FAINTEST)
    shapes = np.stack([half_light, ratio, angle, np.zeros(len(z))], axis=1)
    return flux[of], shapes[of], of


def foreground(rng: np.random.Generator, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw galaxies before a few of the quasars at `places` [n, 2] (arcsec).

    Returns
    -------
    flux : array [k, 5]
        Intrinsic, nmgy.
    shapes : array [k, 3]
        As `population.galaxies` draws them.
    places : array [k, 2]
        Arcsec.
    """
    chosen = np.flatnonzero(rng.random(len(places)) < FOREGROUND)
    flux, shapes = population.galaxies(rng, len(chosen))
    r = rng.uniform(*_FOREGROUND_R, len(chosen))
    flux *= (10 ** (0.4 * (22.5 - r)) / flux[:, BANDS.index("r")])[:, None]
    shapes[:, 0] = np.clip(0.75 * 10 ** (-0.13 * (r - 21)), 0.3, 2.0)
    distance, angle = rng.uniform(*_FOREGROUND_ARCSEC, len(chosen)), rng.uniform(0, 2 * np.pi, len(chosen))
    return flux, shapes, places[chosen] + distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
