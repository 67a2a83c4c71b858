"""The stack: a linear pool of the network's PDF and that of trees (Stone 1961), recalibrated.

The pool of two Gaussian mixtures is one again. Weight and temperature are fitted on the validation part, which the trees
have not seen. An object whose photometry is incomplete has the network's PDF alone.
"""

from typing import NamedTuple

import numpy as np

from crossz.estimates.estimates import Pdf
from crossz.estimates.pdf import Mixture
from crossz.estimates.search import best_of

_WEIGHTS = np.linspace(0, 1, 21)
_TURNS = 2


class Pool(NamedTuple):
    """How the trees of one split enter the estimate of an input pattern."""

    weight: float
    """Of the trees' PDF; 1 - weight is that of the network's."""
    temperature: float
    """Factor of all sigmas of the pool."""


def fit(network: Pdf, trees: Pdf, z: np.ndarray) -> Pool:
    """The weight and the temperature with the smallest mean CRPS, one after the other and again.

    Parameters
    ----------
    network, trees
        PDFs of the same n objects of a validation part.
    z
        Their redshifts [n].

    Returns
    -------
    Pool
        The network alone, if there is no object.
    """
    pool = Pool(0.0, 1.0)
    if not len(z):
        return pool
    for _ in range(_TURNS):  # each of the two hardly changes the other

        def score(weight: float, step: int, temperature: float = pool.temperature) -> float:
            some = np.arange(0, len(z), step)
            one = _linear(network.take(some).mixture, trees.take(some).mixture, weight)
            return Pdf(one).recalibrated(temperature).score(z[some])

        weight = best_of(_WEIGHTS, score, len(z))
        temperature = Pdf(_linear(network.mixture, trees.mixture, weight)).fit_temperature(z)
        pool = Pool(weight, temperature or 1.0)
    return pool


def pooled(network: Pdf, trees: Pdf, there: np.ndarray, pool: Pool) -> Pdf:
    """The stack's PDFs of n objects.

    Parameters
    ----------
    network
        PDFs of the n objects.
    trees
        PDFs of those that are complete [m].
    there
        Which of the n objects these are [n] bool. The others keep the network's PDF, with components of weight 0.
    pool
        Weight and temperature.
    """
    whole = padded(network, trees.mixture.weight.shape[1])
    one = Pdf(_linear(network.take(np.flatnonzero(there)).mixture, trees.mixture, pool.weight))
    return replaced(whole, there, one.recalibrated(pool.temperature))


def padded(estimate: Pdf, count: int) -> Pdf:
    """The same PDFs with `count` more components, of weight 0."""
    weight, mean, sigma = (np.repeat(array[:, :1], count, axis=1) for array in estimate.mixture)
    more = Mixture(np.zeros_like(weight), mean, sigma)
    return Pdf(Mixture(*(np.concatenate(pair, axis=1) for pair in zip(estimate.mixture, more, strict=True))))


def replaced(estimate: Pdf, there: np.ndarray, other: Pdf) -> Pdf:
    """PDFs [n] of which those where `there` [n] bool are the m of `other`, which have as many components."""
    arrays = []
    for mine, theirs in zip(estimate.mixture, other.mixture, strict=True):
        array = mine.copy()
        array[there] = theirs
        arrays.append(array)
    return Pdf(Mixture(*arrays))


def _linear(network: Mixture, trees: Mixture, weight: float) -> Mixture:
    weights = np.concatenate([(1 - weight) * network.weight, weight * trees.weight], axis=1)
    others = (np.concatenate(pair, axis=1) for pair in zip(network[1:], trees[1:], strict=True))
    return Mixture(weights, *others)
