"""The stack of new objects: the trees of all splits beside their networks, of a run or of a bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossz.core.errors import CrosszError
from crossz.core.files import read_json
from crossz.estimates import forest as forests
from crossz.estimates import stack as pools
from crossz.estimates.estimates import Estimate, Pdf, mean_of
from crossz.estimates.forest import COMPONENTS, Forest
from crossz.estimates.stack import Pool
from crossz.models import features as ft

TOGETHER = 8
"""Gaussians of the trees of several splits together. With four of each split, writing the PDFs takes twice as long."""
COOLEST, HOTTEST = 0.01, 100.0
"""Of temperatures: with others, a PDF has no width or no end."""
_FARTHEST = 5.0  # of ln(1 + z): z = 147
_MALFORMED = (KeyError, IndexError, TypeError, AttributeError, ValueError)


@dataclass(frozen=True, repr=False)
class Stack:
    """The trees of every split, and how they enter its estimates."""

    forests: tuple[Forest, ...]
    pools: tuple[Mapping[str, Pool], ...]
    """Of each split, by input pattern."""
    temperature: Mapping[str, float]
    """By input pattern: what recalibrates the mean over the splits."""

    @property
    def components(self) -> int:
        """Gaussians that the stack adds to a PDF."""
        return TOGETHER if len(self.forests) > 1 else COMPONENTS

    def knows(self, features: np.ndarray, pattern: str) -> np.ndarray:
        """Which objects [n] with `features` [n, f] get the stack's estimate."""
        return forests.complete(features) & (pattern in self.pools[0])

    def estimate(self, splits: Sequence[Estimate], alone: Estimate, features: np.ndarray, pattern: str) -> Pdf:
        """The stack's estimates of n objects; where the photometry is incomplete, those of the networks.

        Parameters
        ----------
        splits
            What the networks of each split say of the objects.
        alone
            The estimates of all networks together.
        features
            Of the objects [n, f] (`models.features.of_trees`).
        pattern
            What the networks read.
        """
        whole = pools.padded(_pdf(alone), self.components)
        there = self.knows(features, pattern)
        if not there.any():
            return whole
        rows = np.flatnonzero(there)
        trees = [Pdf(forests.pdfs(forest, features[rows])) for forest in self.forests]
        networks = [_pdf(split).take(rows) for split in splits]
        mean = pools.mean(networks, trees, [pool[pattern] for pool in self.pools], self.components)
        return pools.replaced(whole, there, mean.recalibrated(self.temperature.get(pattern)))


def together(
    stack: Stack | None, splits: Sequence[Estimate], temperature: float | None, features: np.ndarray, pattern: str
) -> Estimate:
    """The estimates of n objects by the networks of all splits, at a temperature, and by their trees if there are any."""
    mean = mean_of(splits).recalibrated(temperature)
    return mean if stack is None else stack.estimate(splits, mean, features, pattern)


def flags(stack: Stack | None, phot: ft.Photometry, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Column stacked [n]: whether trees are part of the estimate from `inputs` [n]; no column without a stack."""
    if stack is None:
        return {}
    return {"stacked": forests.complete(ft.of_trees(phot)) & np.isin(inputs, [*stack.pools[0]])}


def _pdf(estimate: Estimate) -> Pdf:
    if not isinstance(estimate, Pdf):
        raise TypeError("a stack is of PDFs")
    return estimate


def of_run(files: Sequence[str | Path]) -> Stack | None:
    """The stack of a run, from the trees of each split, stack.json and ensemble.json, in this order; None without files."""
    if not files:
        return None
    return _stack([forests.loaded(path) for path in files[:-2]], facts_of(files))


def facts_of(files: Sequence[str | Path]) -> dict[str, Any]:
    """What bundle.json says of the stack of these files (`of_run`): weights and temperatures, and those of all splits."""
    content, ensemble = map(read_json, files[-2:])
    return {**content, "ensemble": ensemble}


def of_bundle(folder: str | Path, facts: Mapping[str, Any], features: int) -> Stack | None:
    """The stack of a bundle; None of a bundle without trees.

    Parameters
    ----------
    folder, facts
        The folder of the bundle, and the content of its bundle.json.
    features
        Number of features that the trees see.

    Raises
    ------
    CrosszError
        A file of trees, or what bundle.json says of the stack, is not what it should be.
    """
    if "stack" not in facts:
        return None
    trees = [forests.loaded(Path(folder) / split["trees"]) for split in facts["splits"]]
    if any(len(forest.fill) != features for forest in trees):
        raise CrosszError(f"{folder}: the trees see other features than the networks; get the bundle again")
    if any(not _can_be(forest.scale) for forest in trees):
        raise CrosszError(f"{folder}: the trees give redshifts that cannot be; get the bundle again")
    try:
        return _stack(trees, facts["stack"])
    except _MALFORMED as error:
        raise CrosszError(f"{folder}: bundle.json: stack: incomplete ({error!r}); get the bundle again") from error


def _can_be(scale: np.ndarray) -> bool:
    """Whether `Forest.scale` is of redshifts."""
    low, high, widest, kernel, temperature = scale
    near = -_FARTHEST < low < high < _FARTHEST and widest < _FARTHEST and kernel < _FARTHEST
    return bool(near and COOLEST < temperature < HOTTEST)


def _stack(trees: Sequence[Forest], facts: Mapping[str, Any]) -> Stack:
    # Raises one of _MALFORMED where a number is missing or cannot be.
    found = [
        {str(inputs): Pool(float(pool["weight"]), float(pool["temperature"])) for inputs, pool in split.items()}
        for split in facts["splits"]
    ]
    temperature = {str(inputs): float(value) for inputs, value in facts["ensemble"]["temperature"].items()}
    numbers = [*temperature.values(), *(pool.temperature for split in found for pool in split.values())]
    weights = [pool.weight for split in found for pool in split.values()]
    if len(found) != len(trees) or any(split.keys() != found[0].keys() for split in found):
        raise ValueError("splits that differ")
    if not all(COOLEST < value < HOTTEST for value in numbers) or not all(0 <= value <= 1 for value in weights):
        raise ValueError("a weight or a temperature that cannot be")
    return Stack(tuple(trees), tuple(found), temperature)
