"""The search for a temperature: one number for all objects, of a grid, with the smallest mean score."""

import functools
from collections.abc import Callable

import numpy as np

_SAMPLE = 1000  # objects: the temperature of so many is within a few per cent of that of all


def best_of(grid: np.ndarray, score: Callable[[float, int], float], count: int) -> float:
    """The number of `grid` with the smallest score of all objects.

    A sample of the objects tells where on the grid it is. All objects are scored only from there downhill: some five times,
    not once a number of the grid. So the mean score is taken to have one minimum, as that of many objects has.

    Parameters
    ----------
    grid
        Numbers to choose from, in their order.
    score
        Called with a number and a step: the mean score of every step-th object.
    count
        Number of objects.
    """
    numbers = grid.tolist()
    step = max(count // _SAMPLE, 1)
    at = min(range(len(numbers)), key=lambda k: score(numbers[k], step))

    @functools.cache
    def total(k: int) -> float:
        return score(numbers[k], 1)

    while step > 1:
        start, at = at, min(range(max(at - 1, 0), min(at + 2, len(numbers))), key=total)
        if at == start:
            break
    return float(numbers[at])
