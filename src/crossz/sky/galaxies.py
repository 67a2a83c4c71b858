"""Spectra of galaxies: an old and a star-forming population in any proportion, redshifted.

Two smooth continua with the break at 4000 Angstrom and emission lines: enough for ugriz colours that follow those of
real galaxies over redshift. Rest wavelengths are Angstrom.
"""

import numpy as np

_OLD = ([1500, 2500, 3000, 3500, 3850, 4050, 4500, 5000, 5500, 6500, 8000, 10000, 11500],
        [0.04, 0.07, 0.14, 0.25, 0.34, 0.62, 0.86, 0.95, 1.00, 0.98, 0.93, 0.82, 0.75])  # fmt: skip
_YOUNG = ([1500, 2500, 3000, 3600, 3850, 4050, 4500, 5000, 5500, 6500, 8000, 10000, 11500],
          [2.60, 1.65, 1.35, 1.15, 1.25, 1.35, 1.20, 1.08, 1.00, 0.80, 0.58, 0.42, 0.34])  # fmt: skip
"""f_lambda over its value at 5500 Angstrom, shaped after the elliptical and the starburst of Kinney et al. (1996)."""
_LINES = [(3728.6, 40.0), (4862.7, 14.0), (4960.3, 9.0), (5008.2, 27.0), (6564.6, 70.0), (6725.0, 20.0)]
"""Rest wavelength and equivalent width of the young population's emission."""
_SIGMA = 8.0  # Angstrom: of a line; bands are a hundred times as wide


def spectra(young: np.ndarray, reddening: np.ndarray, z: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """Observed spectra of galaxies.

    Parameters
    ----------
    young : array [n]
        Share, 0 to 1, of the star-forming population at rest 5500 Angstrom.
    reddening : array [n]
        Its E(B-V); A_lambda = 1.39 (lambda / micron)^-1.2 E(B-V), as for quasars.
    z : array [n]
    wavelength : array [p]
        Observed, Angstrom.

    Returns
    -------
    array [n, p]
        f_lambda, about 1 at rest 5500 Angstrom.
    """
    rest = wavelength / (1 + z[:, None])
    old = np.interp(np.log(rest), np.log(_OLD[0]), _OLD[1])
    new = np.interp(np.log(rest), np.log(_YOUNG[0]), _YOUNG[1])
    for centre, width in _LINES:
        new = new * (1 + width / (_SIGMA * np.sqrt(2 * np.pi)) * np.exp(-0.5 * ((rest - centre) / _SIGMA) ** 2))
    new = new * 10 ** (-0.4 * 1.39 * reddening[:, None] * (rest / 1e4) ** -1.2)
    return (1 - young[:, None]) * old + young[:, None] * new
