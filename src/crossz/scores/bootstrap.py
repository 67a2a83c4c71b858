"""Bootstrap over objects: how often each object is drawn, and the scores of dz under such weights."""

from typing import NamedTuple

import numpy as np

SCORES = ["rmse", "frac_lt_0.1", "bias_median", "sigma_nmad", "outlier_0.15"]
"""The scores that `resampled` gives; definitions as in metrics.score."""
_AT_ONCE = 1 << 20  # weights in memory at once: near the size of the processor's cache
_HALVINGS = 50


class Draws(NamedTuple):
    """Samples of objects with replacement."""

    object_of: np.ndarray  # [n] number of the object of each row
    times: np.ndarray  # [samples, objects] uint8, how often each object is drawn


def draw(objID: np.ndarray, seed: int, samples: int) -> Draws:
    """Draw samples of as many objects as there are, each object with all its rows.

    An object stands in the test parts of several splits. Its estimates there are not independent.

    Parameters
    ----------
    objID
        Object of each row [n].
    seed
        Seed of the random generator.
    samples
        Number of samples.

    References
    ----------
    Efron (1979), Ann. Statist. 7, 1.
    """
    names, object_of = np.unique(objID, return_inverse=True)
    rng = np.random.default_rng(seed)
    times = np.empty((samples, len(names)), np.uint8)
    for sample in times:
        sample[:] = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
    return Draws(object_of, times)


def resampled(error: np.ndarray, draws: Draws) -> dict[str, np.ndarray]:
    """SCORES of each sample: those of rows repeated as often as their object is drawn.

    Rows are sorted by dz once. A sample then is one weight per row, and cumulative sums of the weights give each
    quantile.

    Parameters
    ----------
    error
        dz [n].
    draws
        Samples of the objects of the same rows.

    Returns
    -------
    dict
        Scores [samples] by name.
    """
    order = np.argsort(error, kind="stable")
    error, object_of = error[order], draws.object_of[order]
    parts = np.array_split(draws.times, max(len(draws.times) * len(error) // _AT_ONCE, 1))
    scores = [_scores(error, np.take(times, object_of, axis=1)) for times in parts]
    return dict(zip(SCORES, np.concatenate(scores, axis=1), strict=True))


def _scores(error: np.ndarray, weight: np.ndarray) -> np.ndarray:
    # SCORES [5, samples] of sorted errors [n] under weights [samples, n].
    below = np.zeros((len(weight), len(error) + 1), np.int32)
    np.cumsum(weight, axis=1, out=below[:, 1:])
    total, sample = below[:, -1], np.arange(len(weight))
    ranks = ((total - 1) // 2, total // 2)  # of the two elements whose mean is the median

    def within(low: np.ndarray | float, high: np.ndarray | float, open_ends: bool = False) -> np.ndarray:
        first = np.searchsorted(error, low, "right" if open_ends else "left")
        last = np.searchsorted(error, high, "left" if open_ends else "right")
        return below[sample, last] - below[sample, first]

    def element(rank: np.ndarray) -> np.ndarray:
        place = [np.searchsorted(row, r, "right") for row, r in zip(below, rank, strict=True)]
        return error[np.array(place) - 1]

    middle = (element(ranks[0]) + element(ranks[1])) / 2

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
            1.4826 * (distance(ranks[0]) + distance(ranks[1])) / 2,
            1 - within(-0.15, 0.15) / total,
        ]
    )
