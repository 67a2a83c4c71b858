"""The estimates of all splits together, and how much narrower their mean has to be than the estimates that it is made of.

The PDFs of each split are right by themselves. Their mean is a mixture that also contains the scatter between the splits,
although the mean of several networks errs less than one of them: it is too wide. Both the scatter and the gain grow with the
number k of splits as 1 - 1 / k. So one number t tells the factor t^(1 - 1 / k) for every k. It is fitted on objects that some
of the splits have not seen, and used for new objects, which none has seen.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from crossz.estimates.estimates import Estimate, Point, mean_of
from crossz.estimates.search import best_of

_LIMITS = np.exp(np.linspace(np.log(0.3), np.log(2.0), 77))  # of t, 2.5 % apart
_ENOUGH = 10_000  # objects, for one number


class HeldOut(NamedTuple):
    """Objects that the same number of splits have not trained on."""

    estimate: Estimate
    """The mean over these splits, of n objects."""
    truth: np.ndarray
    """[n] true redshifts or labels."""
    splits: int
    """Their number, at least two."""

    def recalibrated(self, limit: float | None) -> "HeldOut":
        """The same objects with the estimate at the temperature of so many splits."""
        if limit is None:
            return self
        return self._replace(estimate=self.estimate.recalibrated(temperature(limit, self.splits)))

    def every(self, step: int, first: int = 0) -> "HeldOut":
        """Every step-th object from the `first` on."""
        rows = np.arange(first, len(self.truth), step)
        return HeldOut(self.estimate.take(rows), self.truth[rows], self.splits)


def temperature(limit: float, splits: int) -> float:
    """The temperature of the mean over `splits` splits, given its `limit` for many: t^(1 - 1 / k), 1 of a single one."""
    return float(limit ** (1 - 1 / splits))


def held_out(objID: Sequence[np.ndarray], truth: Sequence[np.ndarray], estimates: Sequence[Estimate]) -> list[HeldOut]:
    """The objects that at least two splits have not trained on, with the mean of these splits' estimates.

    Parameters
    ----------
    objID, truth, estimates
        Of each split: objects that it has not trained on, what is true of them, and its estimates.
    """
    names = np.unique(np.concatenate(objID))
    place = np.full((len(objID), len(names)), -1)  # row of each object in the split's arrays
    for number, ids in enumerate(objID):
        place[number, np.searchsorted(names, ids)] = np.arange(len(ids))
    parts = []
    for splits in np.unique(place >= 0, axis=1).T:
        if (members := np.flatnonzero(splits)).size < 2:
            continue
        rows = place[:, ((place >= 0) == splits[:, None]).all(0)]
        mean = mean_of([estimates[number].take(rows[number]) for number in members.tolist()])
        parts.append(HeldOut(mean, truth[members[0]][rows[members[0]]], len(members)))
    return parts


def fit_temperature(parts: Sequence[HeldOut]) -> float | None:
    """The limit t of `temperature` with the best mean score (`Estimate.score`); None of points, or without objects."""
    if not parts or isinstance(parts[0].estimate, Point):
        return None
    count = sum(len(part.truth) for part in parts)
    some = sample(parts, _ENOUGH)

    def score(limit: float, step: int) -> float:
        chosen = [part.every(step).recalibrated(limit) for part in some]
        return sum(len(part.truth) * part.estimate.score(part.truth) for part in chosen)

    return best_of(_LIMITS, score, min(count, _ENOUGH))


def sample(parts: Sequence[HeldOut], most: int) -> list[HeldOut]:
    """Every k-th object, so that they are some `most` at most."""
    step = -(-sum(len(part.truth) for part in parts) // most)
    return [part.every(step) for part in parts]
