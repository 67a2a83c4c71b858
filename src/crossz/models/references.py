"""Photometry-only references: models that every other one is compared with, on the same rows and splits."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from crossz.core.errors import CrosszError
from crossz.estimates.classes import labels, require_all
from crossz.estimates.estimates import ClassProbabilities, Point
from crossz.estimates.predictions import write_predictions
from crossz.images.store import ImageStore
from crossz.models import features as ft
from crossz.models.rows import load_rows

log = logging.getLogger(__name__)

_LIMIT = 6.0  # scaled features beyond this are outliers of the photometry

_REGRESSORS = (DummyRegressor, KNeighborsRegressor, RandomForestRegressor, HistGradientBoostingRegressor, MLPRegressor)
_CLASSIFIERS = (
    DummyClassifier,
    KNeighborsClassifier,
    RandomForestClassifier,
    HistGradientBoostingClassifier,
    MLPClassifier,
)


class Part(NamedTuple):
    """The training or validation part of a split."""

    features: np.ndarray  # [n, 14 + k]
    truth: np.ndarray  # [n] redshifts, or labels of classes (int64)


def candidates(model: str, seed: int, count: int, classify: bool = False) -> list[BaseEstimator]:
    """Estimators of one reference that differ in a hyperparameter. The validation part chooses among them.

    Parameters
    ----------
    model
        One of `names.REFERENCES`.
    seed
        Seed of the random generator.
    count
        Number of training objects.
    classify
        Whether they estimate class probabilities. `mean` then gives the shares of the classes.

    Raises
    ------
    ValueError
        There is no reference of this name.
    """
    mean, neighbours, forest, boosting, dense = _CLASSIFIERS if classify else _REGRESSORS
    if model == "mean":
        return [mean()]
    if model == "knn":
        return [_scaled(neighbours(n_neighbors=k, weights="distance")) for k in (5, 10, 20, 40) if k <= count]
    if model == "random_forest":
        return [
            make_pipeline(_filled(), forest(200, min_samples_leaf=leaf, max_features=0.5, random_state=seed))
            for leaf in (1, 5)
        ]
    if model == "gradient_boosting":
        return [
            boosting(max_iter=150, learning_rate=0.06, max_leaf_nodes=leaves, l2_regularization=1.0, random_state=seed)
            for leaves in (8, 16)
        ]
    if model == "mlp":
        settings = {"hidden_layer_sizes": (64, 32), "learning_rate_init": 3e-3, "max_iter": 200, "random_state": seed}
        return [_scaled(dense(alpha=alpha, **settings)) for alpha in (0.01, 0.3, 1.0)]
    raise ValueError(f"no reference is called {model!r}")


def _filled() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _scaled(model: BaseEstimator) -> BaseEstimator:
    clip = FunctionTransformer(np.clip, kw_args={"a_min": -_LIMIT, "a_max": _LIMIT})
    return make_pipeline(_filled(), StandardScaler(), clip, model)


def fit(model: str, train: Part, val: Part, seed: int, classes: Sequence[str] = ()) -> BaseEstimator:
    """The candidate of a reference with the smallest error of the validation part, fitted on the training part alone.

    The error is the RMSE of dz, or the log loss of class probabilities.

    Parameters
    ----------
    model
        One of `names.REFERENCES`.
    train, val
        Parts of a split. Redshifts are fitted as ln(1 + z), whose error is dz to first order.
    seed
        Seed of the random generator.
    classes
        Names of the classes of a classification.

    Raises
    ------
    CrosszError
        No candidate can be fitted.
    """
    best, smallest = None, np.inf
    for estimator in candidates(model, seed, len(train.truth), bool(classes)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the validation part decides, not the optimiser
            estimator.fit(train.features, train.truth if classes else np.log1p(train.truth))
        error = estimate(estimator, val.features, classes).score(val.truth)
        if error < smallest:
            best, smallest = estimator, error
    if best is None:
        raise CrosszError(
            f"{model}: no candidate can be fitted on {len(train.truth)} objects; leave it out of references.models"
        )
    return best


def estimate(estimator: BaseEstimator, features: np.ndarray, classes: Sequence[str] = ()) -> Point | ClassProbabilities:
    """What a fitted estimator says of objects by their features [n, 14 + k]."""
    if classes:
        return ClassProbabilities(estimator.predict_proba(features), tuple(classes))
    return Point(np.expm1(estimator.predict(features)))


def write_references(
    *,
    catalog: str | Path,
    split: str | Path,
    index: str | Path,
    predictions: Mapping[str, str | Path],
    magnitudes: str,
    columns: Sequence[str] = (),
    classes: Sequence[str] = (),
    seed: int,
    threads: int = 1,
) -> None:
    """Fit references on one split and write their predictions of the validation and test parts.

    Parameters
    ----------
    catalog, split, index
        Paths of a catalog, of one of its splits, and of the index of images, which says which rows every model sees.
    predictions
        Path of the table to write for each reference, by its name.
    magnitudes, columns
        Kind of magnitudes, and extra columns of the catalog, that the models see.
    classes
        Names of the classes of a classification.
    seed
        Seed of the random generator.
    threads
        Threads to use. Without a limit, boosting takes every core, and jobs side by side then wait for each other.

    Raises
    ------
    CrosszError
        A part of the split is empty, a class has no training object, or an estimate is not finite.
    """
    rows = load_rows(catalog, split, ImageStore(index, []))  # no image is looked at
    phot = ft.flat(ft.photometry(rows, magnitudes, columns))
    subset = rows["subset"].to_numpy()
    truth = labels(rows, classes) if classes else rows["z"].to_numpy()
    held = subset != "train"
    if classes:
        require_all(truth[~held], classes, f"{split}, part train")
    train, val = (Part(phot[subset == name], truth[subset == name]) for name in ("train", "val"))
    for model, path in predictions.items():
        with threadpool_limits(threads):
            estimates = estimate(fit(model, train, val, seed, classes), phot[held], classes)
        write_predictions(path, pd.DataFrame(rows[held]), estimates)
        error = estimates.take(np.flatnonzero(subset[held] == "val")).score(val.truth)
        log.info(f"{model}: val {'log loss' if classes else 'RMSE'} {error:.4f}")
