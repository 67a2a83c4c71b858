"""Redshift PDFs: Gaussian mixtures in y = ln(1 + z), whose width is dz to first order.

A mixture is three arrays [n, K]: weights that sum to 1, means and sigmas, of n objects with K components each.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np


class Mixture(NamedTuple):
    """Gaussian mixtures in y = ln(1 + z) of n objects: weight, mean, sigma, each [n, K]."""

    weight: np.ndarray
    mean: np.ndarray
    sigma: np.ndarray


def ndtr(x: np.ndarray) -> np.ndarray:
    """The standard normal distribution function (numpy has none, and the GPU machine no scipy)."""
    import torch  # two seconds, which a job without PDFs should not pay

    return torch.special.ndtr(torch.from_numpy(np.ascontiguousarray(x))).numpy()


_SPAN = 8.0  # sigmas beyond the outermost means that a grid covers
_POINTS = 800
_BLOCK = 64  # objects whose grids are in memory at once: in the processor's cache


def cdf(pdf: Mixture, y: np.ndarray) -> np.ndarray:
    """F(y) of each object, y [n] or [n, m]; the PIT of an object is F at its true redshift."""
    return _sum(pdf, y, lambda u, sigma: ndtr(u))


def density(pdf: Mixture, y: np.ndarray) -> np.ndarray:
    """p(y) of each object, y [n] or [n, m]."""
    return _sum(pdf, y, lambda u, sigma: np.exp(u * u * -0.5) / (np.sqrt(2 * np.pi) * sigma))


def _sum(pdf: Mixture, y: np.ndarray, part: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    # Component by component: three times as fast as an array [n, m, K], whose last axis is short.
    y = np.asarray(y, float)
    total = np.zeros_like(y)
    for weight, mean, sigma in zip(*(array.T.reshape(-1, len(y), *(1,) * (y.ndim - 1)) for array in pdf), strict=True):
        total += weight * part((y - mean) / sigma, sigma)
    return total


def mean(pdf: Mixture) -> np.ndarray:
    """Mean of y [n]: what minimises the squared error of ln(1 + z)."""
    return (pdf.weight * pdf.mean).sum(1)


def crps(pdf: Mixture, y: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score [n] at the true y [n]: E|Y - y| - E|Y - Y'| / 2 (Grimit et al. 2006)."""
    first = _expected_distance(pdf.mean - np.asarray(y, float)[:, None], pdf.sigma)
    apart = _expected_distance(
        pdf.mean[:, :, None] - pdf.mean[:, None, :], np.hypot(pdf.sigma[:, :, None], pdf.sigma[:, None, :])
    )
    pairs = pdf.weight[:, :, None] * pdf.weight[:, None, :]
    return (pdf.weight * first).sum(1) - (pairs * apart).sum((1, 2)) / 2


def _expected_distance(m: np.ndarray, s: np.ndarray) -> np.ndarray:
    """E|X| of a Gaussian of mean m and sigma s."""
    t = m / s
    return m * (2 * ndtr(t) - 1) + 2 * s * np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)


def temperature_scaled(pdf: Mixture, temperature: float) -> Mixture:
    """The same mixtures with every sigma times `temperature`."""
    return pdf._replace(sigma=pdf.sigma * temperature)


def ensemble(members: Sequence[Mixture]) -> Mixture:
    """The PDFs of several networks for the same n objects as one: their mean, which is a mixture of all components."""
    weight, mean, sigma = (np.concatenate(parts, axis=1) for parts in zip(*members, strict=True))
    return Mixture(weight / len(members), mean, sigma)


def fit_temperature(pdf: Mixture, y: np.ndarray) -> float:
    """The factor of all sigmas that gives the smallest mean CRPS at the true y [n]; fitted on a validation part."""
    tried = np.exp(np.linspace(np.log(0.3), np.log(3.0), 93))
    return float(min(tried, key=lambda t: crps(temperature_scaled(pdf, t), y).mean()))


def _grid(pdf: Mixture) -> np.ndarray:
    """Even points [n, m] of y over all that each PDF has."""
    low = np.maximum((pdf.mean - _SPAN * pdf.sigma).min(1), pdf.mean.min(1) - 3)
    high = np.minimum((pdf.mean + _SPAN * pdf.sigma).max(1), pdf.mean.max(1) + 3)
    return low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _POINTS)


def _blocks(pdf: Mixture) -> Iterator[tuple[slice, Mixture]]:
    for start in range(0, len(pdf.weight), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield rows, Mixture(*(part[rows] for part in pdf))


def credible_level(pdf: Mixture, y: np.ndarray) -> np.ndarray:
    """Probability [n] of the highest-density set of y that just holds the true y [n]; uniform if the PDFs are right.

    A 68 % set covers the truth where this is below 0.68.
    """
    level = np.empty(len(y))
    for rows, some in _blocks(pdf):
        p = density(some, _grid(some))
        higher = p > density(some, y[rows])[:, None]
        level[rows] = (p * higher).sum(1) / p.sum(1)
    return level


def interval(pdf: Mixture, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Central interval of z, lower and upper [n]: quantiles (1 - share) / 2 and (1 + share) / 2 of each PDF."""
    sides = np.empty((2, len(pdf.weight)))
    for rows, some in _blocks(pdf):
        grid = _grid(some)
        below = cdf(some, grid)
        for side, quantile in enumerate(((1 - share) / 2, (1 + share) / 2)):
            sides[side, rows] = [np.interp(quantile, f, y) for f, y in zip(below, grid, strict=True)]
    return np.expm1(sides[0]), np.expm1(sides[1])


def peaks(pdf: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """Redshift and probability [n, 2] of the two most probable peaks, the more probable first; NaN and 0 for a missing one.

    A peak has the probability between the valleys beside it.
    """
    z, share = np.full((len(pdf.weight), 2), np.nan), np.zeros((len(pdf.weight), 2))
    for rows, some in _blocks(pdf):
        grid = _grid(some)
        for row, (y, p) in enumerate(zip(grid, density(some, grid), strict=True), rows.start):
            tops = 1 + np.flatnonzero((p[1:-1] > p[:-2]) & (p[1:-1] >= p[2:]))
            valleys = [a + int(np.argmin(p[a:b])) for a, b in itertools.pairwise(tops)]
            mass = np.array([part.sum() for part in np.split(p, valleys)]) / p.sum()
            best = np.argsort(mass)[::-1][:2]
            z[row, : len(best)], share[row, : len(best)] = np.expm1(y[tops[best]]), mass[best]
    return z, share


def scores(pdf: Mixture, z: np.ndarray) -> dict[str, float]:
    """crps, pit_ks, coverage_68, coverage_95, nll of n objects at their true redshifts z [n].

    CRPS and NLL are of y = ln(1 + z): the first in units of dz, the second in nats. pit_ks: largest distance of the
    distribution of the PIT from the uniform one. Coverages are of highest-density sets.
    """
    y = np.log1p(np.asarray(z, float))
    pit = np.sort(cdf(pdf, y))
    n = len(pit)
    ks = max((np.arange(1, n + 1) / n - pit).max(), (pit - np.arange(n) / n).max())
    level = credible_level(pdf, y)
    return {
        "crps": float(crps(pdf, y).mean()),
        "pit_ks": float(ks),
        "coverage_68": float((level <= 0.68).mean()),
        "coverage_95": float((level <= 0.95).mean()),
        "nll": float(-np.log(np.maximum(density(pdf, y), 1e-300)).mean()),
    }
