"""Bootstrap over objects: how often each is drawn, and the scores of dz with such weights."""

from typing import NamedTuple

import numpy as np

SCORES = ["rmse", "frac_lt_0.1", "bias_median", "sigma_nmad", "outlier_0.15"]
"""What `resampled` gives; definitions as in metrics.score."""
_AT_ONCE = 1 << 20  # weights in memory at once: near the processor's cache
_HALVINGS = 50


class Draws(NamedTuple):
    """Samples of objects with replacement: which object each row is of [n], how often each is drawn [samples, objects] uint8."""

    object_of: np.ndarray
    times: np.ndarray


def draw(objID: np.ndarray, seed: int, samples: int) -> Draws:
    """`samples` draws from the objects of rows [n]: as many as there are, each with all its rows.

    An object stands in the test parts of several splits; its estimates there are not independent.
    """
    names, object_of = np.unique(objID, return_inverse=True)
    rng = np.random.default_rng(seed)
    times = np.empty((samples, len(names)), np.uint8)
    for sample in times:
        sample[:] = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
    return Draws(object_of, times)


def resampled(error: np.ndarray, draws: Draws) -> dict[str, np.ndarray]:
    """SCORES of dz `error` [n] in each sample of `draws`, by name: those of rows repeated as often as they are drawn.

    Rows are sorted by dz once. A sample is then a weight a row, and the sum of the weights below a row gives each quantile.
    """
    order = np.argsort(error, kind="stable")
    error, object_of = error[order], draws.object_of[order]
    parts = np.array_split(draws.times, max(len(draws.times) * len(error) // _AT_ONCE, 1))
    found = [_scores(error, np.take(times, object_of, axis=1)) for times in parts]
    return dict(zip(SCORES, np.concatenate(found, axis=1), strict=True))


def _scores(error: np.ndarray, weight: np.ndarray) -> np.ndarray:
    # SCORES [5, samples] of sorted errors [n] under weights [samples, n].
    below = np.zeros((len(weight), len(error) + 1), np.int32)
    np.cumsum(weight, axis=1, out=below[:, 1:])
    total, sample = below[:, -1], np.arange(len(weight))
    ranks = ((total - 1) // 2, total // 2)  # of the two elements whose mean is the median

    def within(low: np.ndarray, high: np.ndarray, open_ends: bool = False) -> np.ndarray:
        first = np.searchsorted(error, low, "right" if open_ends else "left")
        last = np.searchsorted(error, high, "left" if open_ends else "right")
        return below[sample, last] - below[sample, first]

    def element(rank: np.ndarray) -> np.ndarray:
        place = [np.searchsorted(row, r, "right") for row, r in zip(below, rank, strict=True)]
        return error[np.array(place) - 1]

    middle = sum(map(element, ranks)) / 2

    def distance(rank: np.ndarray) -> np.ndarray:
        # The smallest distance from the median that more than `rank` rows lie within.
        low, high = np.zeros(len(rank)), np.full(len(rank), error[-1] - error[0])
        for _ in range(_HALVINGS):
            half = (low + high) / 2
            enough = within(middle - half, middle + half) > rank
            low, high = np.where(enough, low, half), np.where(enough, half, high)
        return high

    return np.stack(
        [
            np.sqrt((weight * error**2).sum(1) / total),
            within(-0.1, 0.1, open_ends=True) / total,
            middle,
            1.4826 * sum(map(distance, ranks)) / 2,
            1 - within(-0.15, 0.15) / total,
        ]
    )
