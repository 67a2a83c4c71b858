"""Spectra of quasars: power law, emission lines, iron, reddening, broad absorption, intergalactic hydrogen.

`draw` makes the parameters of n quasars, `spectra` their observed spectra, on any wavelengths and as often as
wanted: the same parameters give the photometry, the images and the spectroscopic files. Rest wavelengths are vacuum
Angstrom.
"""

import numpy as np
import pandas as pd

from crossz.sky import igm

REST = 10 ** np.arange(np.log10(420.0), np.log10(11500.0), 3e-4)
"""Rest wavelengths [q] of the emission templates."""

EMISSION = {
    "ovi": [(1033.0, 12.5, 9.0)],
    "lya": [(1216.25, 25.0, 7.0), (1216.25, 27.5, 22.0), (1239.85, 20.0, 14.0)],
    "siiv": [(1262.0, 1.0, 8.0), (1305.4, 2.0, 8.0), (1336.6, 1.0, 6.0), (1398.3, 10.5, 14.3)],
    "civ": [(1546.2, 14.0, 9.0), (1546.2, 19.0, 24.0), (1637.8, 7.0, 18.0), (1664.7, 2.2, 12.0)],
    "ciii": [(1750.0, 1.0, 14.0), (1857.0, 3.5, 12.0), (1906.0, 27.5, 23.6)],
    "mgii": [(2798.3, 23.0, 22.0), (2798.3, 15.5, 50.0)],
    "balmer": [(4102.7, 5.1, 18.6), (4346.4, 15.5, 20.3), (4862.7, 46.0, 40.4), (6564.9, 200.0, 47.4)],
    "narrow": [(3426.8, 1.2, 6.0), (3729.7, 1.6, 4.0), (3869.8, 1.4, 5.3), (4960.4, 4.0, 5.0), (5008.2, 12.5, 6.0)],
    "iron": [(1700.0, 13.0, 50.0), (1800.0, 3.5, 60.0), (2080.0, 9.0, 55.0), (2300.0, 9.5, 60.0),
             (2500.0, 33.5, 95.0), (2650.0, 6.0, 40.0), (2960.0, 16.5, 70.0), (3200.0, 3.0, 120.0),
             (4570.0, 25.5, 65.0), (5305.0, 21.0, 65.0)],
    "bump": [(3000.0, 190.0, 420.0), (3500.0, 51.5, 160.0)],
}  # fmt: skip
"""Emission by group: rest wavelength, equivalent width and Gaussian sigma in Angstrom.

Wavelengths and widths are those of Vanden Berk et al. (2001), Table 2, the broad lines as sums of two Gaussians.
Equivalent widths start there and, with iron, the small blue bump (Balmer continuum) and the slopes below, were
fitted to the median colours of SDSS DR5 quasars against redshift (tests/unit/sky/test_seds.py).
"""
PARAMETERS = ("slope", *EMISSION, "reddening", "bal_depth", "bal_velocity", "bal_width", "forest", "limit")
"""Columns that `draw` makes and `spectra` needs."""
BREAKS = (1107.0, 4900.0)
"""Rest wavelengths between which the drawn slope holds, f_nu ~ nu^slope."""
SLOPE = -0.25
FAR_UV_SLOPE = -1.61
"""Slope blueward of the first break (Telfer et al. 2002 found -1.57 for radio-quiet quasars)."""
RED_STEP = -0.26
"""What the slope of f_nu loses redward of the second break: dust and the host galaxy flatten the spectrum there."""
BAL_LINES = (1033.0, 1215.7, 1240.8, 1398.3, 1549.1)
_C = 299792.458  # km/s


def _templates() -> np.ndarray:
    """Emission over continuum [g, q] on REST, for one unit of each group."""
    return np.array([
        sum(ew / (sigma * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((REST - centre) / sigma) ** 2) for centre, ew, sigma in group)
        for group in EMISSION.values()
    ])  # fmt: skip


_TEMPLATES = _templates()


def draw(rng: np.random.Generator, z: np.ndarray, i_mag: np.ndarray) -> pd.DataFrame:
    """Parameters of n quasars at redshift `z` [n] and apparent magnitude `i_mag` [n], one row each.

    `i_mag` enters through the Baldwin effect: at one redshift, the brighter quasar has the weaker lines.
    """
    n = len(z)
    luminosity = -0.4 * (i_mag - 20.0) + np.log10((1 + z) / 3)  # dex, relative
    parameters = {"slope": rng.normal(SLOPE, 0.30, n)}
    common = -0.10 * luminosity + rng.normal(0, 0.08, n)  # dex; 0.1 dex per dex is Baldwin's effect
    for group in EMISSION:
        spread = {"bump": 0.08, "narrow": 0.30, "iron": 0.14}.get(group, 0.12)
        parameters[group] = 10 ** (common * (group != "bump") + rng.normal(0, spread, n))
    dusty = rng.random(n) < 0.08
    parameters["reddening"] = np.abs(rng.normal(0, 0.012, n)) + dusty * rng.exponential(0.07, n)
    bal = rng.random(n) < 0.10
    parameters["bal_depth"] = bal * rng.uniform(0.4, 0.95, n)
    parameters["bal_velocity"] = rng.uniform(3000, 18000, n)  # km/s
    parameters["bal_width"] = rng.uniform(1500, 5000, n)
    parameters["forest"] = np.exp(rng.normal(0, 0.12, n))
    # Lyman limit systems are few: some lines of sight have none, some an opaque one. The median is four times the
    # mean of Inoue et al., for SDSS chose its quasars at 2.7 < z < 3.5 by colour and so prefers those behind more
    # of them (Worseck & Prochaska 2011); even so their u-g is 0.2 to 0.5 redder there than ours.
    parameters["limit"] = 4.0 * np.exp(rng.normal(0, 1.2, n))
    return pd.DataFrame(parameters)


def spectra(parameters: pd.DataFrame, z: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """Observed spectra of quasars.

    Parameters
    ----------
    parameters : DataFrame [n]
        As drawn by `draw`: continuum slope; strength of each group of EMISSION; internal E(B-V) with the extinction
        curve of the SMC (Prevot et al. 1984, A_lambda = 1.39 (lambda / micron)^-1.2 E(B-V)); troughs blueward of C
        IV, N V, Si IV; factors on the mean optical depth of the forest and of the Lyman continuum.
    z : array [n]
    wavelength : array [p]
        Observed, Angstrom.

    Returns
    -------
    array [n, p]
        f_lambda, 1 at rest 2500 Angstrom before lines and dust.
    """
    p = {name: column.to_numpy()[:, None] for name, column in parameters.items()}
    rest = wavelength / (1 + z[:, None])
    flux = continuum(parameters, rest)
    emission = parameters[list(EMISSION)].to_numpy() @ _TEMPLATES
    flux *= 1 + np.array([np.interp(at, REST, lines) for at, lines in zip(rest, emission, strict=True)])
    flux *= 10 ** (-0.4 * 1.39 * p["reddening"] * (rest / 1e4) ** -1.2)
    absorbed = np.flatnonzero(parameters["bal_depth"])
    flux[absorbed] *= _troughs(parameters.iloc[absorbed], rest[absorbed])
    depth = p["forest"] * igm.lines(wavelength, z) + p["limit"] * igm.continuum(wavelength, z)
    return flux * np.exp(-depth)


def continuum(parameters: pd.DataFrame, rest: np.ndarray) -> np.ndarray:
    """The power law of quasars alone, without lines and dust, at their rest wavelengths [n, p]; 1 at 2500 Angstrom."""
    blue, red = BREAKS
    index = -2 - parameters["slope"].to_numpy()[:, None]
    flux = (rest / 2500) ** index
    return flux * np.minimum(rest / blue, 1) ** (-2 - FAR_UV_SLOPE - index) * np.maximum(rest / red, 1) ** -RED_STEP


def _troughs(parameters: pd.DataFrame, rest: np.ndarray) -> np.ndarray:
    depth, velocity, width = (
        parameters[name].to_numpy()[:, None] for name in ("bal_depth", "bal_velocity", "bal_width")
    )
    transmission = np.ones_like(rest)
    for line in BAL_LINES:
        offset = (_C * (1 - rest / line) - velocity) / width
        transmission *= 1 - depth * np.exp(-(offset**4))
    return transmission
