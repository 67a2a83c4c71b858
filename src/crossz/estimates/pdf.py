"""Redshift PDFs: Gaussian mixtures in y = ln(1 + z), whose width is dz to first order."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from crossz.estimates.search import best_of


class Mixture(NamedTuple):
    """Mixtures of n objects with K components each: weights that sum to 1, means and sigmas, [n, K]."""

    weight: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray


ODDS_WIDTH = 0.06
"""Half the interval of `odds`, in units of 1 + z."""
_TEMPERATURES = np.exp(np.linspace(np.log(0.3), np.log(3.0), 93))  # 2.5 % apart
_CACHED = 2**15  # numbers of an array: in the processor's cache, and too few for torch to wake its threads
_SPAN = 8.0  # sigmas beyond the outermost means that a grid covers
_POINTS = 800
_BLOCK = 64  # objects whose grids are in memory at once: in the processor's cache


def ndtr(x: np.ndarray) -> np.ndarray:
    """The standard normal distribution function of x, any shape.

    NumPy has none, and a GPU node may lack SciPy.
    """
    import torch  # takes two seconds, which a job without PDFs should not pay

    return torch.special.ndtr(torch.from_numpy(np.ascontiguousarray(x))).numpy()


def cdf(pdf: Mixture, y: np.ndarray) -> np.ndarray:
    """F(y) of each object. The PIT of an object is F at its true redshift.

    Parameters
    ----------
    y
        Points [n], one per object, or [n, m].

    Returns
    -------
    np.ndarray
        Probabilities, of the shape of y.
    """
    return _sum(pdf, y, lambda u, sigma: ndtr(u))


def density(pdf: Mixture, y: np.ndarray) -> np.ndarray:
    """p(y) of each object, per unit of ln(1 + z); y and the result have the shapes of `cdf`."""
    return _sum(pdf, y, lambda u, sigma: np.exp(u * u * -0.5) / (np.sqrt(2 * np.pi) * sigma))


def _sum(pdf: Mixture, y: np.ndarray, component: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    # Component by component: three times as fast as an array [n, m, K], whose last axis is short.
    y = np.asarray(y, float)
    total = np.zeros_like(y)
    parts = (array.T.reshape(*array.T.shape, *(1,) * (y.ndim - 1)) for array in pdf)
    for weight, mean, sigma in zip(*parts, strict=True):
        total += weight * component((y - mean) / sigma, sigma)
    return total


def mean(pdf: Mixture) -> np.ndarray:
    """Mean of y [n]. It minimises the squared error of ln(1 + z)."""
    return (pdf.weight * pdf.mean).sum(1)


def z_mean(pdf: Mixture) -> np.ndarray:
    """The redshift [n] with the smallest expected square of dz = (z_phot - z) / (1 + z), if the PDF is right.

    It is 1 + z_phot = E[1 / (1 + z)] / E[1 / (1 + z)^2]: a mean that counts an object at high z less, as dz does.
    """
    shift, variance = pdf.mean.min(1, keepdims=True), pdf.sigma**2
    first = (pdf.weight * np.exp(shift - pdf.mean + variance / 2)).sum(1)
    second = (pdf.weight * np.exp(2 * (shift - pdf.mean + variance))).sum(1)
    return np.expm1(shift[:, 0] + np.log(first / second))


def odds(pdf: Mixture, z: np.ndarray) -> np.ndarray:
    """Probability [n] that the redshift lies within 0.06 (1 + z) of z [n] (Benitez 2000, ApJ 536, 571)."""
    low, high = (cdf(pdf, np.log1p(z) + np.log1p(side * ODDS_WIDTH)) for side in (-1, 1))
    return high - low


def crps(pdf: Mixture, y: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score at the true y: E|Y - y| - E|Y - Y'| / 2, Y and Y' drawn from the PDF.

    Parameters
    ----------
    y
        True values [n].

    Returns
    -------
    np.ndarray
        Scores [n] in the unit of y, which is that of dz to first order.

    References
    ----------
    Grimit et al. (2006), Q. J. R. Meteorol. Soc. 132, 2925: the closed form for Gaussian mixtures.
    """
    weight, mean, sigma = (np.ascontiguousarray(part.T, float) for part in pdf)
    y, scores = np.asarray(y, float), np.empty(len(y))
    step = max(_CACHED // len(weight), 1)
    for rows in (slice(start, start + step) for start in range(0, len(y), step)):
        w, m, s = weight[:, rows], mean[:, rows], sigma[:, rows]
        score = (w * _expected_distance(m - y[rows], s)).sum(0) - (w * w * s).sum(0) / np.sqrt(np.pi)
        for apart in range(1, len(w)):  # pairs of components k and k + apart, which count once each way
            pairs = _expected_distance(m[apart:] - m[:-apart], np.sqrt(s[apart:] ** 2 + s[:-apart] ** 2))
            score -= (w[apart:] * w[:-apart] * pairs).sum(0)
        scores[rows] = score
    return scores


def _expected_distance(m: np.ndarray, s: np.ndarray) -> np.ndarray:
    # E|X| of a Gaussian of mean m and sigma s. The error function of torch is three times as fast as its ndtr.
    import torch  # as in ndtr

    t = m / (s * np.sqrt(2))
    return m * torch.erf(torch.from_numpy(t)).numpy() + np.exp(-t * t) * s * np.sqrt(2 / np.pi)


def temperature_scaled(pdf: Mixture, temperature: float) -> Mixture:
    """The same mixtures with every sigma times `temperature`."""
    return pdf._replace(sigma=pdf.sigma * temperature)


def fit_temperature(pdf: Mixture, y: np.ndarray) -> float:
    """The factor of all sigmas that gives the smallest mean CRPS.

    Parameters
    ----------
    pdf
        PDFs of the n objects of a validation part.
    y
        Their true values [n].
    """

    def score(temperature: float, step: int) -> float:
        some = Mixture(*(part[::step] for part in pdf))
        return float(crps(temperature_scaled(some, temperature), y[::step]).mean())

    return best_of(_TEMPERATURES, score, len(y))


def ensemble(members: Sequence[Mixture]) -> Mixture:
    """The mean of the PDFs that several networks give for the same n objects: a mixture of all components."""
    weight, mean, sigma = (np.concatenate(parts, axis=1) for parts in zip(*members, strict=True))
    return Mixture(weight / len(members), mean, sigma)


def even_grid(pdf: Mixture) -> np.ndarray:
    """Evenly spaced points [n, 800] of y that cover each PDF: 8 sigmas, but at most 3, beyond its outermost means."""
    low = np.maximum((pdf.mean - _SPAN * pdf.sigma).min(1), pdf.mean.min(1) - 3)
    high = np.minimum((pdf.mean + _SPAN * pdf.sigma).max(1), pdf.mean.max(1) + 3)
    return low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _POINTS)


def blocks(pdf: Mixture) -> Iterator[tuple[slice, Mixture]]:
    """The rows and PDFs of a few objects at a time: few enough that their grids stay in the processor's cache."""
    for start in range(0, len(pdf.weight), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield rows, Mixture(*(part[rows] for part in pdf))


def interval(pdf: Mixture, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Central interval of z that holds `share` of the probability of each PDF.

    Returns
    -------
    tuple
        Lower and upper redshifts [n]: quantiles (1 - share) / 2 and (1 + share) / 2.
    """
    sides = np.empty((2, len(pdf.weight)))
    for rows, block in blocks(pdf):
        grid = even_grid(block)
        below = cdf(block, grid)
        for side, quantile in enumerate(((1 - share) / 2, (1 + share) / 2)):
            sides[side, rows] = [np.interp(quantile, f, y) for f, y in zip(below, grid, strict=True)]
    return np.expm1(sides[0]), np.expm1(sides[1])


def peaks(pdf: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """The two most probable peaks of each PDF, the more probable first.

    The probability of a peak is that between the valleys beside it.

    Returns
    -------
    tuple
        Redshifts and probabilities [n, 2]; NaN and 0 where there is no second peak.
    """
    z, share = np.full((len(pdf.weight), 2), np.nan), np.zeros((len(pdf.weight), 2))
    for rows, block in blocks(pdf):
        grid = even_grid(block)
        for row, (y, p) in enumerate(zip(grid, density(block, grid), strict=True), rows.start):
            tops = 1 + np.flatnonzero((p[1:-1] > p[:-2]) & (p[1:-1] >= p[2:]))
            valleys = [a + int(np.argmin(p[a:b])) for a, b in itertools.pairwise(tops)]
            mass = np.array([part.sum() for part in np.split(p, valleys)]) / p.sum()
            best = np.argsort(mass)[::-1][:2]
            z[row, : len(best)], share[row, : len(best)] = np.expm1(y[tops[best]]), mass[best]
    return z, share
