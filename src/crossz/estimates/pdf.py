"""Redshift PDFs: Gaussian mixtures in y = ln(1 + z), whose width is dz to first order."""

import math
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
_EVEN, _STEP = 64, 0.4  # points of an even grid, and its widest step, in sigmas of the narrowest component
_OFFSETS = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0])  # of points about a component, in its sigmas
_BLOCK = 64  # objects whose points are in memory at once: in the processor's cache
_ROOTS = 512  # objects whose quantiles are sought together
_STEPS, _NEWTON = 100, 8  # steps to a root at most; after the first eight, every second one halves the bracket
_EXACT = 1e-10  # of y: how well a root is known


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


def blocks(pdf: Mixture, size: int = _BLOCK) -> Iterator[tuple[slice, Mixture]]:
    """The rows and PDFs of a few objects at a time: few enough that their points stay in the processor's cache."""
    for start in range(0, len(pdf.weight), size):
        rows = slice(start, start + size)
        yield rows, Mixture(*(part[rows] for part in pdf))


def quantiles(pdf: Mixture, levels: Sequence[float]) -> np.ndarray:
    """Where F(y) reaches each of some levels.

    Parameters
    ----------
    pdf
        PDFs of n objects.
    levels
        m probabilities between 0 and 1, without these.

    Returns
    -------
    np.ndarray
        y [n, m]. The error is below 1e-9 however narrow a component is.
    """
    import torch

    parts = [np.empty((0, len(levels)))]
    normal = torch.special.ndtri(torch.tensor(levels, dtype=torch.float64)).numpy()
    for _, block in blocks(pdf, _ROOTS):
        # The quantile of a mixture lies between those of its components. It is near that of a Gaussian of its width.
        ends = block.mean[:, :, None] + block.sigma[:, :, None] * normal
        low, high = ends.min(1), ends.max(1)
        weight = _normalised(block.weight)
        centre = (weight * block.mean).sum(1, keepdims=True)
        width = np.sqrt((weight * (block.sigma**2 + (block.mean - centre) ** 2)).sum(1, keepdims=True))
        begin = np.clip(centre + width * normal, low, high)
        arrays = np.tile(levels, len(weight)), *_columns(block, np.repeat(np.arange(len(weight)), len(levels)))
        y = _roots(_above_level, low.ravel(), high.ravel(), begin.ravel(), arrays)
        parts.append(y.reshape(begin.shape))
    return np.concatenate(parts)


def points(pdf: Mixture, count: int) -> np.ndarray:
    """Points y [n, count] of each PDF, each of which stands for the same probability: a sample without chance."""
    import torch

    level = (np.arange(count) + 0.5) / count
    weight = _normalised(pdf.weight)
    below = weight.cumsum(1) - weight
    component = (level > below[:, 1:, None]).sum(1)  # the components one after the other, whatever their means
    weight, below, mean, sigma = (
        np.take_along_axis(part, component, axis=1) for part in (weight, below, pdf.mean, pdf.sigma)
    )
    inside = ((level - below) / weight).clip(1e-9, 1 - 1e-9)  # sums of weights are rounded
    return mean + sigma * torch.special.ndtri(torch.from_numpy(inside)).numpy()


def interval(pdf: Mixture, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Central interval of z that holds `share` of the probability of each PDF.

    Returns
    -------
    tuple
        Lower and upper redshifts [n]: quantiles (1 - share) / 2 and (1 + share) / 2.
    """
    low, high = np.expm1(quantiles(pdf, ((1 - share) / 2, (1 + share) / 2))).T
    return low, high


def peaks(pdf: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """The two most probable peaks of each PDF, the more probable first.

    The probability of a peak is that between the valleys beside it. Each component brings points that are close on its
    own scale, so that no narrow peak is passed over.

    Returns
    -------
    tuple
        Redshifts and probabilities [n, 2]; NaN and 0 where there is no second peak.
    """
    z, share = np.full((len(pdf.weight), 2), np.nan), np.zeros((len(pdf.weight), 2))
    for rows, block in blocks(pdf, _ROOTS):
        row, top, low, high = _turns(block)
        parts = _columns(block, row)
        y = _roots(_slope, low, high, (low + high) / 2, (np.where(top, -1.0, 1.0), *parts))
        weight, mean, scale = parts
        below = np.where(top, 0.0, _share_below((y - mean) * scale, weight))
        # Tops and valleys take turns in each row, from a top to a top.
        change = row[1:] != row[:-1]
        first, last = np.append(True, change), np.append(change, True)
        mass = np.where(last, 1.0, np.roll(below, -1)) - np.where(first, 0.0, np.roll(below, 1))
        row, y, mass = row[top], y[top], mass[top]
        order = np.lexsort((-mass, row))
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        best, of = order[rank < 2], (rows.start + row[rank < 2], rank[rank < 2])
        z[of], share[of] = np.expm1(y[best]), mass[best]
    return z, share


def _turns(pdf: Mixture) -> tuple[np.ndarray, ...]:
    # Each top and valley of each density, in order: its object, whether it is a top, and two points about it. All of them
    # lie between the outermost means: left of these the density rises, right of them it falls.
    narrow = np.ptp(pdf.mean, axis=1) > (_EVEN - 1) * _STEP * pdf.sigma.min(1)
    found = []
    for grid, size, chosen in (
        (_even_grid, 4 * _BLOCK, np.flatnonzero(~narrow)),
        (_own_grid, _BLOCK, np.flatnonzero(narrow)),
    ):
        for start in range(0, len(chosen), size):
            here = chosen[start : start + size]
            block = Mixture(*(np.ascontiguousarray(part[here].T) for part in pdf))
            points = grid(block)
            rises = _slopes(block, points) > 0
            rises[0], rises[-1] = True, False
            row, place = np.nonzero((rises[1:] != rises[:-1]).T)
            found.append((here[row], rises[place, row], points[place, row], points[place + 1, row]))
    row, *others = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(row, kind="stable")
    return row[order], *(other[order] for other in others)


def _even_grid(block: Mixture) -> np.ndarray:
    # Evenly spaced points [64, n] between the outermost means of mixtures [K, n].
    low, high = block.mean.min(0), block.mean.max(0)
    return low + (high - low) * np.linspace(0, 1, _EVEN)[:, None]


def _own_grid(block: Mixture) -> np.ndarray:
    # Points [21 K, n] between the outermost means, close on the scale of each component, which an even grid may step over.
    offsets = np.concatenate([-_OFFSETS, [0.0], _OFFSETS])[:, None, None]
    points = (block.mean + block.sigma * offsets).reshape(-1, block.mean.shape[1])
    return np.sort(np.clip(points, block.mean.min(0), block.mean.max(0)), axis=0)


def _slopes(block: Mixture, points: np.ndarray) -> np.ndarray:
    # p', but for one factor, of mixtures [K, n] at points [m, n]; component by component, as in `_sum`, and without new arrays.
    slope, t, bell = (np.zeros_like(points) for _ in range(3))
    for weight, mean, scale in zip(block.weight, block.mean, math.sqrt(0.5) / block.sigma, strict=True):
        np.multiply(np.subtract(points, mean, out=t), scale, out=t)
        _bell(t, bell)
        bell *= weight * scale**2
        slope -= np.multiply(t, bell, out=t)
    return slope


def _roots(
    function: Callable[..., tuple[np.ndarray, np.ndarray]],
    low: np.ndarray,
    high: np.ndarray,
    y: np.ndarray,
    arrays: Sequence[np.ndarray],
) -> np.ndarray:
    # The roots of n functions that rise between `low` and `high`, by Newton's method from `y`, which halves the bracket
    # where a step would leave it. `function(y, *arrays)` gives values and derivatives; the last axis of `arrays` is n.
    found, here = np.array(y), np.arange(len(y))
    for number in range(_STEPS):
        value, derivative = function(y, *arrays)
        low, high = np.where(value > 0, low, y), np.where(value > 0, y, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = value / derivative
        newton = (y - step >= low) & (y - step <= high) & (number < _NEWTON or number % 2 == 0)
        done = (np.abs(step) < _EXACT) | (high - low < _EXACT)
        y = found[here] = np.where(newton | done, np.clip(y - np.nan_to_num(step), low, high), (low + high) / 2)
        if done.any():
            rest = np.flatnonzero(~done)
            here, low, high, y = here[rest], low[rest], high[rest], y[rest]
            arrays = [array[..., rest] for array in arrays]
            if not len(y):
                break
    return found


def _above_level(
    y: np.ndarray, level: np.ndarray, weight: np.ndarray, mean: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    # F - level and its derivative p, of mixtures [K, n] at y [n].
    t = (y - mean) * scale
    below = _share_below(t, weight)
    return below - level, np.einsum("kn,kn,kn->n", weight, scale, _bell(t)) / math.sqrt(math.pi)


def _share_below(t: np.ndarray, weight: np.ndarray) -> np.ndarray:
    # F of mixtures [K, n] at t [K, n]. erf costs a third of ndtr, whose tails matter to no quantile.
    import torch

    return 0.5 + 0.5 * np.einsum("kn,kn->n", weight, torch.erf(torch.from_numpy(t)).numpy())


def _slope(
    y: np.ndarray, sign: np.ndarray, weight: np.ndarray, mean: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    # sign * p' and sign * p'', but for one factor, of mixtures [K, n] at y [n].
    t = (y - mean) * scale
    bell = weight * scale**2 * _bell(t)
    return -sign * np.einsum("kn,kn->n", t, bell), sign * np.einsum("kn,kn->n", (2 * t * t - 1) * scale, bell)


def _bell(t: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    # exp(-t^2), at least 1e-304: numbers below the normal ones are slow.
    out = np.multiply(t, t, out=out)
    return np.exp(np.maximum(np.negative(out, out=out), -700.0, out=out), out=out)


def _columns(pdf: Mixture, rows: np.ndarray) -> list[np.ndarray]:
    # Weights of sum 1, means, and factors from y - mean to t = (y - mean) / (sqrt(2) sigma), of `rows` [n], as arrays [K, n].
    parts = _normalised(pdf.weight), pdf.mean, math.sqrt(0.5) / pdf.sigma
    return [np.ascontiguousarray(part.T)[:, rows] for part in parts]


def _normalised(weight: np.ndarray) -> np.ndarray:
    return weight / weight.sum(1, keepdims=True)
