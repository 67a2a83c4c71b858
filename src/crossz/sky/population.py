"""What is on the sky: quasars, and the stars and galaxies beside them.

Magnitudes are AB-like SDSS magnitudes above the Galactic dust; fluxes are in nanomaggies.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from crossz.core.constants import BANDS
from crossz.sky import filters, refraction, seds
from crossz.sky import galaxies as templates

_Z = ([0.1, 0.8, 1.0, 1.6, 2.0, 2.3, 2.5, 2.8, 3.2, 3.7, 4.2, 5.0, 5.5, 6.0],
      [0.03, 0.35, 0.60, 0.90, 0.90, 1.20, 1.00, 0.45, 0.25, 0.13, 0.06, 0.02, 0.01, 0.0])  # fmt: skip
"""Relative number of quasars by redshift: broad from 0.8, a peak near 2.3, a tail to 5 (DR16Q; Lyke et al. 2020)."""
_I = ([16.5, 18.0, 19.0, 20.0, 20.7, 21.3, 21.8, 22.2], [0.004, 0.06, 0.30, 0.65, 1.0, 0.9, 0.35, 0.0])
"""Relative number of quasars by i magnitude: rising towards the limit of eBOSS, g < 22 or r < 22."""
_CHUNK = 500

_LOCUS = np.array([
    # g-i,  u-g,  g-r,  r-i,  i-z
    [0.20, 0.95, 0.17, 0.03, -0.02], [0.40, 0.95, 0.30, 0.10, 0.02], [0.60, 1.15, 0.45, 0.15, 0.05],
    [1.00, 1.65, 0.72, 0.28, 0.13], [1.50, 2.20, 1.06, 0.44, 0.24], [2.00, 2.45, 1.31, 0.69, 0.38],
    [2.50, 2.55, 1.40, 1.10, 0.60], [3.00, 2.60, 1.45, 1.55, 0.85],
])  # fmt: skip
"""The stellar locus, rounded after Covey et al. (2007)."""
_MAIN_R = ([14.0, 15.5, 17.0, 17.8, 19.0, 21.0], [0.01, 0.1, 0.5, 1.0, 0.6, 0.4])
"""Relative number of galaxies with spectra by r: rising to the limit of the main sample, then those of BOSS."""
STAR_DENSITY, GALAXY_DENSITY = 3.0, 4.0
"""Neighbours per square arcminute to r = 22.5."""
Corner = Sequence[float] | np.ndarray
"""x, y of the corner of a box."""


def _from_density(rng: np.random.Generator, knots: tuple[list, list], n: int) -> np.ndarray:
    """n values whose density is linear between `knots` = (places, relative densities)."""
    grid = np.linspace(knots[0][0], knots[0][-1], 4001)
    cumulative = np.cumsum(np.interp(grid, *knots))
    return np.interp(rng.random(n), cumulative / cumulative[-1], grid)


def quasars(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Draw n quasars.

    Returns
    -------
    DataFrame
        z, i_mag, the parameters of `seds.draw`, amplitude, intrinsic flux_u ... flux_z (nmgy), and refraction_u ...
        refraction_z (arcsec at 45 degrees). `amplitude` (erg/s/cm^2/A) times `seds.spectra` is the observed spectrum above
        the Galactic dust.
    """
    z, i_mag = _from_density(rng, _Z, n), _from_density(rng, _I, n)
    parameters = seds.draw(rng, z, i_mag)
    relative, lifted = np.empty((2, n, len(BANDS)))
    for k in range(0, n, _CHUNK):
        spectra = seds.spectra(parameters.iloc[k : k + _CHUNK], z[k : k + _CHUNK], filters.WAVELENGTH)
        relative[k : k + _CHUNK] = filters.fluxes(spectra)
        lifted[k : k + _CHUNK] = refraction.of_spectra(spectra, filters.weights(), filters.WAVELENGTH)
    amplitude = 10 ** (0.4 * (22.5 - i_mag)) / relative[:, BANDS.index("i")]
    flux = pd.DataFrame(relative * amplitude[:, None], columns=[f"flux_{band}" for band in BANDS])
    refracted = pd.DataFrame(lifted, columns=[f"refraction_{band}" for band in BANDS])
    head = pd.DataFrame({"z": z, "i_mag": i_mag})
    return pd.concat([head, parameters, flux, pd.Series(amplitude, name="amplitude"), refracted], axis=1)


def stars(rng: np.random.Generator, n: int) -> np.ndarray:
    """Intrinsic fluxes [n, 5] of stars: the locus with 0.03 mag of scatter, more red dwarfs among the faint."""
    r = _from_density(rng, ([14.0, 18.0, 22.5], [0.05, 0.4, 1.6]), n)
    dwarf = rng.random(n) < np.clip((r - 16) / 8, 0.05, 0.7)
    g_i = np.where(dwarf, rng.normal(2.3, 0.35, n), rng.normal(0.65, 0.22, n))
    colours = np.stack([np.interp(g_i, _LOCUS[:, 0], column) for column in _LOCUS[:, 1:].T], axis=1)
    return _with_colours(r, colours + rng.normal(0, 0.03, colours.shape))


def galaxies(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw n galaxies.

    Returns
    -------
    flux : array [n, 5]
        Intrinsic, nmgy.
    shapes : array [n, 3]
        Half-light radius (arcsec), axis ratio, angle (radian).
    """
    r = _from_density(rng, ([16.0, 18.0, 20.0, 22.5], [0.008, 0.05, 0.3, 1.8]), n)
    red = rng.random(n)[:, None]
    colours = [1.0, 0.4, 0.25, 0.15] + red * [0.7, 0.7, 0.25, 0.15] + rng.normal(0, 0.08, (n, 4))
    half_light = np.clip(10 ** (-0.13 * (r - 21) + rng.normal(0, 0.18, n)) * 0.75, 0.2, 5.0)
    return _with_colours(r, colours), np.stack([half_light, rng.uniform(0.3, 1, n), rng.uniform(0, np.pi, n)], axis=1)


def main_galaxies(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw n galaxies with spectra, most of the SDSS main sample.

    A galaxy of r = 17.3 lies at z = 0.1, give or take 0.75 mag of luminosity. Half-light radii are 4 kpc at that
    luminosity.

    Returns
    -------
    flux : array [n, 5]
        Intrinsic, nmgy.
    shapes : array [n, 4]
        Half-light radius (arcsec), axis ratio, angle (radian), profile: 1 is de Vaucouleurs (old galaxies), 0
        exponential.
    z : array [n]
    """
    r = _from_density(rng, _MAIN_R, n)
    z = np.clip(0.1 * 10 ** (0.2 * (r - 17.3)) * np.exp(rng.normal(0, 0.35, n)), 0.005, 0.8)
    old = rng.random(n) < 0.65
    young = np.where(old, rng.beta(1, 12, n), rng.beta(3, 3, n))
    spectra = templates.spectra(young, np.abs(rng.normal(0, 0.08, n)), z, filters.WAVELENGTH)
    flux = filters.fluxes(spectra)
    flux *= (10 ** (0.4 * (22.5 - r)) / flux[:, BANDS.index("r")])[:, None]
    flux *= 10 ** (0.4 * rng.normal(0, 0.02, flux.shape))
    luminosity = 10 ** (-0.4 * (r - 17.3)) * (z / 0.1) ** 2
    kpc = 4.0 * luminosity**0.4 * 10 ** rng.normal(0, 0.12, n)
    distance = 4283 * z / (1 + z) ** 1.5  # Mpc, angular; within 8 % of the concordance cosmology's to z = 0.8
    half_light = np.clip(206.265 * kpc / distance, 0.3, 8.0)
    ratio = np.where(old, rng.uniform(0.5, 1, n), rng.uniform(0.25, 1, n))
    return flux, np.stack([half_light, ratio, rng.uniform(0, np.pi, n), old], axis=1), z


def _with_colours(r: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Fluxes [n, 5] from r [n] and u-g, g-r, r-i, i-z [n, 4]."""
    u_g, g_r, r_i, i_z = colours.T
    magnitudes = np.stack([r + g_r + u_g, r + g_r, r, r - r_i, r - r_i - i_z], axis=1)
    return 10 ** (0.4 * (22.5 - magnitudes))


def apart(
    rng: np.random.Generator, n: int, low: Corner, high: Corner, distance: float, beside: np.ndarray | None = None
) -> np.ndarray:
    """Draw positions in a box, uniformly, no two of them near each other.

    Parameters
    ----------
    rng
        The random generator.
    n
        How many.
    low, high : [2]
        Corners of the box.
    distance
        Least distance of two positions.
    beside : array [m, 2]
        Positions that are there already, apart from each other.

    Returns
    -------
    array [n, 2]

    Raises
    ------
    ValueError
        They do not fit.
    """
    places = rng.uniform(low, high, (n, 2))
    beside = np.empty((0, 2)) if beside is None else beside
    for _ in range(200):
        close = cKDTree(np.concatenate([beside, places])).query_pairs(distance, output_type="ndarray")
        if not len(close):
            return places
        again = np.unique(close[:, 1]) - len(beside)
        places[again] = rng.uniform(low, high, (len(again), 2))
    raise ValueError(f"{n} objects do not fit on a strip {distance:g} pixels apart: lower quasars_per_field")
