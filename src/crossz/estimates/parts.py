"""PDFs of methods whose parts each say something: the leaves of trees, or neighbours, as Gaussian mixtures in y = ln(1 + z)."""

import numpy as np

from crossz.estimates.pdf import Mixture

_KERNEL = 0.5  # width of a kernel, in widths of the validation part's errors
_LEAST = 1e-3  # narrowest kernel, in ln(1 + z)


def merged(mean: np.ndarray, variance: np.ndarray, weight: np.ndarray, components: int) -> Mixture:
    """Mixtures of m parts as mixtures of `components`, with the same mean and variance.

    The parts of each of `components` even bins between an object's smallest and largest mean become one component with
    their weight, mean and variance. A component without a part has weight 0.

    Parameters
    ----------
    mean, variance, weight
        Of the m parts of n objects [n, m]. The sum of the weights of an object is 1.
    components
        Components of a mixture.

    Returns
    -------
    Mixture
        sigma can be 0: `blurred` comes next.
    """
    n = len(mean)
    low, high = mean.min(1, keepdims=True), mean.max(1, keepdims=True)
    step = np.maximum(high - low, 1e-12) / components
    place = np.minimum(((mean - low) / step).astype(np.int64), components - 1) + components * np.arange(n)[:, None]

    def total(values: np.ndarray) -> np.ndarray:
        sums = np.bincount(place.ravel(), np.broadcast_to(values, mean.shape).ravel(), n * components)
        return sums.reshape(n, components)

    centre = (weight * mean).sum(1, keepdims=True)
    weights = total(weight)
    there = np.where(weights > 0, weights, 1.0)
    offset = total(weight * (mean - centre)) / there
    spread = total(weight * (variance + (mean - centre) ** 2)) / there - offset**2
    return Mixture(weights, centre + offset, np.sqrt(np.maximum(spread, 0.0)))


def blurred(mixture: Mixture, width: float) -> Mixture:
    """The same PDFs with a Gaussian of sigma `width` around each value."""
    return mixture._replace(sigma=np.hypot(mixture.sigma, width))


def kernel(estimate: np.ndarray, y: np.ndarray) -> float:
    """Width of the kernel of estimates whose values in the validation part are `estimate` [m], the true ones `y` [m]."""
    error = y - estimate
    return max(_KERNEL * 1.4826 * float(np.median(np.abs(error - np.median(error)))), _LEAST)
