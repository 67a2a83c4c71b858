"""Mean absorption by intergalactic hydrogen: Inoue, Shimizu, Iwata & Tanaka (2014), MNRAS 442, 1805.

Wavelengths are observed, in Angstrom. The mean optical depth is the sum of the Lyman series (39 lines, their
equations 21-22) and of the Lyman continuum (equations 25-29), each of the forest (LAF) and of damped systems (DLA).
"""

import numpy as np

LYMAN_LIMIT = 911.753
"""Rest wavelength of the Lyman limit; line n of the series lies at LYMAN_LIMIT / (1 - 1 / n^2)."""
LYMAN_SERIES = LYMAN_LIMIT / (1 - 1 / np.arange(2, 41) ** 2)

# Inoue et al. (2014), Table 2: A_LAF,1 and A_DLA,1 of lines 2 to 40. The table's other columns follow from these,
# because every power law of equations 21 and 22 joins the next one continuously.
# fmt: off
_LAF = np.array([
    1.68976e-2, 4.69229e-3, 2.23898e-3, 1.31901e-3, 8.70656e-4, 6.17843e-4, 4.60924e-4, 3.56887e-4, 2.84278e-4, 2.31771e-4,
    1.92348e-4, 1.62155e-4, 1.38498e-4, 1.19611e-4, 1.04314e-4, 9.17397e-5, 8.12784e-5, 7.25069e-5, 6.50549e-5, 5.86816e-5,
    5.31918e-5, 4.84261e-5, 4.42740e-5, 4.06311e-5, 3.73821e-5, 3.45377e-5, 3.19891e-5, 2.97110e-5, 2.76635e-5, 2.58178e-5,
    2.41479e-5, 2.26347e-5, 2.12567e-5, 1.99967e-5, 1.88476e-5, 1.77928e-5, 1.68222e-5, 1.59286e-5, 1.50996e-5])
_DLA = np.array([
    1.61698e-4, 1.54539e-4, 1.49767e-4, 1.46031e-4, 1.42893e-4, 1.40159e-4, 1.37714e-4, 1.35495e-4, 1.33452e-4, 1.31561e-4,
    1.29785e-4, 1.28117e-4, 1.26540e-4, 1.25041e-4, 1.23614e-4, 1.22248e-4, 1.20938e-4, 1.19681e-4, 1.18469e-4, 1.17298e-4,
    1.16167e-4, 1.15071e-4, 1.14011e-4, 1.12983e-4, 1.11972e-4, 1.11002e-4, 1.10051e-4, 1.09125e-4, 1.08220e-4, 1.07337e-4,
    1.06473e-4, 1.05629e-4, 1.04802e-4, 1.03991e-4, 1.03198e-4, 1.02420e-4, 1.01657e-4, 1.00908e-4, 1.00168e-4])
# fmt: on


def lines(wavelength: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Optical depth [n, p] of the Lyman series at observed `wavelength` [p] towards sources at `z` [n]."""
    rest = wavelength / (1 + z[:, None])
    depth = np.zeros_like(rest)
    for line, laf, dla in zip(LYMAN_SERIES, _LAF, _DLA, strict=True):
        x = wavelength / line
        forest = x**1.2 * np.where(x < 2.2, 1, (x / 2.2) ** 2.5) * np.where(x < 5.7, 1, (x / 5.7) ** 1.8)
        damped = x**2 * np.where(x < 3, 1, x / 3)
        depth += (rest < line) * np.where(x > 1, laf * forest + dla * damped, 0)
    return depth


def continuum(wavelength: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Optical depth [n, p] of the Lyman continuum at observed `wavelength` [p] towards sources at `z` [n]."""
    x = np.maximum(wavelength / LYMAN_LIMIT, 1)[None, :]
    s = 1 + z[:, None]
    low, high = x < 2.2, x < 5.7
    forest = np.select(
        [s < 2.2, s < 5.7],
        [
            0.325 * (x**1.2 - s**-0.9 * x**2.1),  # equation 25
            2.55e-2 * s**1.6 * x**2.1 + np.where(low, 0.325 * x**1.2 - 0.250 * x**2.1, -2.55e-2 * x**3.7),  # 26
        ],
        5.22e-4 * s**3.4 * x**2.1  # 27
        + np.select(
            [low, high],
            [0.325 * x**1.2 - 3.14e-2 * x**2.1, 0.218 * x**2.1 - 2.55e-2 * x**3.7],
            -5.22e-4 * x**5.5,
        ),
    )
    damped = np.where(
        s < 3,
        0.211 * s**2 - 7.66e-2 * s**2.3 * x**-0.3 - 0.135 * x**2,  # equation 28
        4.70e-2 * s**3
        - 1.78e-2 * s**3.3 * x**-0.3
        + np.where(x < 3, 0.634 - 0.135 * x**2 - 0.291 * x**-0.3, -2.92e-2 * x**3),  # equation 29
    )
    return np.where(x < s, np.maximum(forest, 0) + np.maximum(damped, 0), 0)
