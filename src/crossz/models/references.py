"""Photometry-only references: what any other model must be compared with, on the same rows and splits."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

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

from crossz.estimates import classes
from crossz.estimates.predictions import dz, write_classes, write_predictions
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


def candidates(model: str, seed: int, count: int, classify: bool = False) -> list[BaseEstimator]:
    """Estimators of one reference that differ in their hyperparameter, for `count` training objects; validation chooses.

    `classify`: of class probabilities; `mean` is then the shares of the classes.
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
        return [
            _scaled(
                dense(
                    hidden_layer_sizes=(64, 32), alpha=alpha, learning_rate_init=3e-3, max_iter=200, random_state=seed
                )
            )
            for alpha in (0.01, 0.3, 1.0)
        ]
    raise ValueError(f"no reference is called {model!r}")


def _filled() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _scaled(model: BaseEstimator) -> BaseEstimator:
    clip = FunctionTransformer(np.clip, kw_args={"a_min": -_LIMIT, "a_max": _LIMIT})
    return make_pipeline(_filled(), StandardScaler(), clip, model)


def fit(
    model: str,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    seed: int,
    classify: bool = False,
) -> BaseEstimator:
    """The candidate of `model` with the smallest validation RMSE of dz, fitted on the training part alone.

    `train` and `val` are (features [n, 14 + k], z [n]); the target is log1p(z), whose error is dz to first order.
    `classify`: labels [n] instead of z, and the smallest log loss.
    """
    best, smallest = None, np.inf
    for estimator in candidates(model, seed, len(train[1]), classify):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the validation part judges, not the optimiser
            estimator.fit(train[0], train[1] if classify else np.log1p(train[1]))
        if classify:
            error = classes.log_loss(estimator.predict_proba(val[0]), val[1])
        else:
            error = float(np.sqrt(np.mean(dz(np.expm1(estimator.predict(val[0])), val[1]) ** 2)))
        if error < smallest:
            best, smallest = estimator, error
    return best


def write_references(
    catalog_path: str | Path,
    split_path: str | Path,
    index_path: str | Path,
    prediction_paths: dict[str, str | Path],
    *,
    magnitudes: str,
    columns: Sequence[str] = (),
    classes: Sequence[str] = (),
    seed: int,
    threads: int = 1,
) -> None:
    """Fit each reference that `prediction_paths` names on one split and write its validation and test predictions.

    At most `threads` threads: left alone, boosting takes every core, and jobs side by side then wait for each other.
    """
    store = ImageStore(index_path, [])  # which rows have an image; none is looked at
    rows = load_rows(catalog_path, split_path, store)
    phot = ft.flat(ft.photometry(rows, magnitudes, columns))
    subset = rows["subset"].to_numpy()
    truth = classes.labels(rows, classes) if classes else rows["z"].to_numpy()
    held, val = subset != "train", subset[subset != "train"] == "val"
    if classes:
        classes.require_all(truth[~held], classes, f"{split_path}, part train")
    for model, path in prediction_paths.items():
        parts = [(phot[subset == name], truth[subset == name]) for name in ("train", "val")]
        with threadpool_limits(threads):
            estimator = fit(model, *parts, seed, bool(classes))
            found = estimator.predict_proba(phot[held]) if classes else np.expm1(estimator.predict(phot[held]))
        if classes:
            write_classes(path, pd.DataFrame(rows[held]), found, classes)
            told = f"log loss {classes.log_loss(found[val], truth[held][val]):.4f}"
        else:
            write_predictions(path, pd.DataFrame(rows[held]), found)
            told = f"RMSE {np.sqrt(np.mean(dz(found[val], truth[held][val]) ** 2)):.4f}"
        log.info(f"{model}: val {told}")
