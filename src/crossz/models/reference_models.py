"""The estimators behind the photometry-only references, and how they stay within memory and time on many rows."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from crossz.models import features as ft

LARGE = 30_000
"""Training objects beyond which the leaves of forests grow with the sample, so that a tree never has more leaves."""
NEIGHBOURS = (5, 10, 20, 40)
"""Numbers of neighbours that the validation part chooses from."""
TREES = ("random_forest", "extra_trees")
_LIMIT = 6.0  # scaled features beyond this are outliers of the photometry
_COUNT = 200  # trees of a forest


def candidates(model: str, seed: int, count: int, classify: bool = False, threads: int = 1) -> Iterator[BaseEstimator]:
    """Estimators of one reference that differ in a hyperparameter. The validation part chooses among them.

    They are made one by one: two forests of a large sample need not be in memory at once.

    Parameters
    ----------
    model
        One of `names.REFERENCES` but knn, whose candidates share one search (`nearest`).
    seed
        Seed of the random generator.
    count
        Number of training objects.
    classify
        Whether they estimate class probabilities. `mean` then gives the shares of the classes.
    threads
        Threads that a forest grows with. Its trees are the same for any number.

    Raises
    ------
    ValueError
        There is no reference of this name.
    """
    if model == "mean":
        yield DummyClassifier() if classify else DummyRegressor()
    elif model == "random_forest":
        forest = RandomForestClassifier if classify else RandomForestRegressor
        for leaf in _leaves(count, (1, 5)):
            yield make_pipeline(
                _filled(),
                forest(_COUNT, min_samples_leaf=leaf, max_features=0.5, random_state=seed, n_jobs=threads),
            )
    elif model == "extra_trees":
        forest = ExtraTreesClassifier if classify else ExtraTreesRegressor
        for leaf in _leaves(count, (1, 3)):
            yield make_pipeline(
                FunctionTransformer(ft.with_relative_fluxes),
                _filled(),
                forest(_COUNT, min_samples_leaf=leaf, max_features=1.0, random_state=seed, n_jobs=threads),
            )
    elif model == "gradient_boosting":
        boosting = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
        for leaves in (8, 16):
            yield boosting(
                max_iter=150, learning_rate=0.06, max_leaf_nodes=leaves, l2_regularization=1.0, random_state=seed
            )
    elif model == "mlp":
        dense = MLPClassifier if classify else MLPRegressor
        settings: dict[str, Any] = {"hidden_layer_sizes": (64, 32), "learning_rate_init": 3e-3, "max_iter": 200}
        for alpha in (0.01, 0.3, 1.0):
            yield make_pipeline(*_scaled(), dense(alpha=alpha, **settings, random_state=seed))
    else:
        raise ValueError(f"no reference is called {model!r}")


def _leaves(count: int, sizes: Sequence[int]) -> list[int]:
    # The smallest numbers of training objects a leaf to choose from. A tree has as many leaves as a limit allows.
    return sorted({max(size, -(-count // LARGE)) for size in sizes})


def _filled() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _scaled() -> tuple[BaseEstimator, ...]:
    clip = FunctionTransformer(np.clip, kw_args={"a_min": -_LIMIT, "a_max": _LIMIT})
    return _filled(), StandardScaler(), clip


def nearest(train: np.ndarray, features: np.ndarray, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """The nearest training objects of each object in scaled features, up to the largest of `NEIGHBOURS`.

    Parameters
    ----------
    train, features
        Features of the training part [t, 14 + k] and of n objects [n, 14 + k].
    threads
        Threads of the search.

    Returns
    -------
    tuple
        Rows of `train` and their distances [n, m], the nearest first. No column if there are too few to choose from.
    """
    count = max((k for k in NEIGHBOURS if k <= len(train)), default=0)
    if not count:
        return np.empty((len(features), 0), int), np.empty((len(features), 0))
    scaler = make_pipeline(*_scaled())
    search = NearestNeighbors(n_neighbors=count, n_jobs=threads).fit(scaler.fit_transform(train))
    distance, row = search.kneighbors(scaler.transform(features))
    return row, distance


def closeness(distance: np.ndarray) -> np.ndarray:
    """Weights [n, m] of neighbours, with sum 1: inverse distances [n, m]. Objects at distance 0 share all the weight."""
    with np.errstate(divide="ignore"):
        weight = 1 / distance
    same = np.isinf(weight)
    weight = np.where(same.any(1, keepdims=True), same, weight)
    return weight / weight.sum(1, keepdims=True)
