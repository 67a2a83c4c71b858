"""Redshift PDFs of the photometry-only references: what their parts say apart, as Gaussian mixtures in y = ln(1 + z).

A part is a tree, a neighbour, a quantile or an error of the validation part. The mean of a PDF is the reference's estimate.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.base import BaseEstimator, clone

from crossz.estimates import parts as of_parts
from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture

COMPONENTS = 8
"""Components of a PDF. With four or sixteen, the CRPS of forests changes by less than 1 %."""
QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Quantiles of y that boosting estimates, a fifth of the probability each."""
_BLOCK = 4096  # objects whose parts are in memory at once


def blocks(count: int) -> Iterator[slice]:
    """The rows of a few thousand of `count` objects at a time."""
    for start in range(0, count, _BLOCK):
        yield slice(start, start + _BLOCK)


def joined(parts: Sequence[Mixture]) -> Mixture:
    """The PDFs of several sets of objects as one, in their order."""
    return Mixture(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def of_trees(pipeline: BaseEstimator, features: np.ndarray) -> Mixture:
    """What the leaves say that objects with `features` [n, 14 + k] fall into, one of each tree of a forest.

    A leaf counts as the mean and the variance of the training targets in it. A quantile regression forest keeps the
    targets themselves (Meinshausen 2006, JMLR 7, 983). Both are the same where a leaf holds one target, and have the
    same mean and variance anywhere.
    """
    forest, parts = pipeline[-1], []
    for rows in blocks(len(features)):
        leaf = forest.apply(pipeline[:-1].transform(features[rows]))
        mean, variance = np.empty(leaf.shape), np.empty(leaf.shape)
        for number, tree in enumerate(forest.estimators_):
            mean[:, number] = tree.tree_.value[leaf[:, number], 0, 0]
            variance[:, number] = tree.tree_.impurity[leaf[:, number]]
        parts.append(of_parts.merged(mean, variance, np.full(leaf.shape, 1 / leaf.shape[1]), COMPONENTS))
    return joined(parts)


def of_neighbours(y: np.ndarray, row: np.ndarray, weight: np.ndarray) -> Mixture:
    """The targets `y` [t] of each object's neighbours `row` [n, k], with their `weight` [n, k]."""
    return joined([of_parts.merged(y[row[part]], np.zeros(1), weight[part], COMPONENTS) for part in blocks(len(row))])


def of_sample(estimate: np.ndarray, y: np.ndarray) -> Mixture:
    """One distribution for all: that of the values `y` [m], moved to the `estimate` [n] of each object."""
    one = of_parts.merged(y[None], np.zeros(1), np.full((1, len(y)), 1 / len(y)), COMPONENTS)
    weight, mean, sigma = (np.repeat(array, len(estimate), axis=0) for array in one)
    return Mixture(weight, mean - y.mean() + estimate[:, None], sigma)


def of_quantiles(
    estimator: BaseEstimator, train: np.ndarray, y: np.ndarray, features: np.ndarray, estimate: np.ndarray
) -> Mixture:
    """Quantiles by boosting with the same settings, moved so that their mean is the `estimate` [n].

    Parameters
    ----------
    estimator
        The boosting that gave the estimate.
    train, y
        Features [t, 14 + k] and targets [t] of the training part.
    features
        Of the n objects.
    """
    found = []
    for quantile in QUANTILES:
        model = clone(estimator).set_params(loss="quantile", quantile=quantile)
        found.append(model.fit(train, y).predict(features))
    at = np.sort(np.stack(found, axis=1), axis=1)  # quantiles that were fitted apart can cross
    mean = at + (estimate - at.mean(1))[:, None]
    return Mixture(np.full(at.shape, 1 / len(QUANTILES)), mean, np.gradient(at, axis=1))


def means(mixture: Mixture) -> np.ndarray:
    """The estimate of y [n] that the PDFs give."""
    return pdf.mean(mixture)
