"""Photometry-only references: models that every other one is compared with, on the same rows and splits."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from crossz.core.errors import CrosszError
from crossz.estimates import parts as of_parts
from crossz.estimates.classes import labels, require_all
from crossz.estimates.estimates import ClassProbabilities, Pdf, Point
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import write_predictions
from crossz.images.store import ImageStore
from crossz.models import features as ft
from crossz.models import reference_models, reference_pdfs
from crossz.models.rows import load_rows

log = logging.getLogger(__name__)

_CALIBRATED_ON = 20_000  # validation objects that a temperature is fitted on: many more than one number needs


class Part(NamedTuple):
    """The training part of a split."""

    features: np.ndarray  # [t, 14 + k]
    truth: np.ndarray  # [t] redshifts, or labels of classes (int64)


class Held(NamedTuple):
    """The validation and test parts of a split. The truth of the test part is not here."""

    features: np.ndarray  # [n, 14 + k]
    val: np.ndarray  # [m] rows of the validation part among them
    truth: np.ndarray  # [m] redshifts or labels of the validation part


class _Attempt(NamedTuple):
    # One candidate: what it says of each held object, ln(1 + z) [n] or probabilities [n, c], and what gives its PDFs.
    said: np.ndarray
    pdfs: Callable[[], Mixture] | None = None  # None of a classification


def estimate(
    model: str, train: Part, held: Held, seed: int, classes: Sequence[str] = (), threads: int = 1
) -> Pdf | ClassProbabilities:
    """What a reference says of the held objects: its candidate with the smallest error of the validation part.

    Candidates are fitted on the training part alone. The error is the RMSE of dz, or the log loss of class probabilities.

    Parameters
    ----------
    model
        One of `names.REFERENCES`.
    train, held
        Parts of a split. Redshifts are fitted as ln(1 + z), whose error is dz to first order.
    seed
        Seed of the random generator.
    classes
        Names of the classes of a classification.
    threads
        Threads to use.

    Returns
    -------
    Pdf or ClassProbabilities
        z_phot is the estimate of the candidate. The temperature of the PDFs is fitted on the validation part.

    Raises
    ------
    CrosszError
        No candidate can be fitted.
    """
    best, smallest = None, np.inf
    for attempt in _attempts(model, train, held, seed, classes, threads):
        said = attempt.said[held.val]
        found = ClassProbabilities(said, tuple(classes)) if classes else Point(np.expm1(said))
        if (error := found.score(held.truth)) < smallest:
            best, smallest = attempt, error
    if best is None:
        raise CrosszError(
            f"{model}: no candidate can be fitted on {len(train.truth)} objects; leave it out of references.models"
        )
    if best.pdfs is None:
        return ClassProbabilities(best.said, tuple(classes))
    return _calibrated(best.said, best.pdfs(), held)


def _calibrated(said: np.ndarray, mixture: Mixture, held: Held) -> Pdf:
    width = of_parts.kernel(said[held.val], np.log1p(held.truth))
    pdfs = Pdf(of_parts.blurred(mixture, width))
    some = np.arange(0, len(held.val), -(-len(held.val) // _CALIBRATED_ON))
    return pdfs.recalibrated(pdfs.take(held.val[some]).fit_temperature(held.truth[some]))


def _attempts(
    model: str, train: Part, held: Held, seed: int, classes: Sequence[str], threads: int
) -> Iterator[_Attempt]:
    if model == "knn":
        yield from _neighbours(train, held, classes, threads)
        return
    y = train.truth if classes else np.log1p(train.truth)
    for estimator in reference_models.candidates(model, seed, len(y), bool(classes), threads):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the validation part decides, not the optimiser
            estimator.fit(train.features, y)
        if classes:
            if model in reference_models.TREES:
                estimator[-1].n_jobs = 1  # threads would add up the votes in any order
            yield _Attempt(estimator.predict_proba(held.features))
        elif model in reference_models.TREES:
            mixture = reference_pdfs.of_trees(estimator, held.features)
            yield _known(mixture)
        else:
            said = estimator.predict(held.features)
            yield _Attempt(said, _pdfs(model, estimator, train.features, y, held, said))
        del estimator  # before the next one grows


def _known(mixture: Mixture) -> _Attempt:
    return _Attempt(reference_pdfs.means(mixture), lambda: mixture)


def _pdfs(
    model: str, estimator: BaseEstimator, features: np.ndarray, y: np.ndarray, held: Held, said: np.ndarray
) -> Callable[[], Mixture]:
    # What gives the PDFs of an estimator that has no parts.
    if model == "mean":
        return lambda: reference_pdfs.of_sample(said, y)
    if model == "gradient_boosting":
        return lambda: reference_pdfs.of_quantiles(estimator, features, y, held.features, said)
    return lambda: reference_pdfs.of_sample(said, np.log1p(held.truth) - said[held.val])


def _neighbours(train: Part, held: Held, classes: Sequence[str], threads: int) -> Iterator[_Attempt]:
    row, distance = reference_models.nearest(train.features, held.features, threads)
    for k in (k for k in reference_models.NEIGHBOURS if k <= row.shape[1]):
        weight = reference_models.closeness(distance[:, :k])
        if classes:
            votes = [(weight * (train.truth[row[:, :k]] == label)).sum(1) for label in range(len(classes))]
            yield _Attempt(np.stack(votes, axis=1))
        else:
            yield _known(reference_pdfs.of_neighbours(np.log1p(train.truth), row[:, :k], weight))


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
    truth_column = "class" if classes else "z"
    read = [truth_column, *ft.photometry_columns(magnitudes), *columns]
    rows = load_rows(catalog, split, ImageStore(index, []), read)  # no image is looked at
    phot = ft.flat(ft.photometry(rows, magnitudes, columns))
    subset = rows["subset"].to_numpy()
    truth = labels(rows, classes) if classes else rows["z"].to_numpy()
    learnt = subset == "train"
    if classes:
        require_all(truth[learnt], classes, f"{split}, part train")
    train = Part(phot[learnt], truth[learnt])
    held = Held(phot[~learnt], np.flatnonzero(subset[~learnt] == "val"), truth[subset == "val"])
    written = rows.loc[~learnt, ["objID", truth_column, "subset"]]
    del rows, phot  # half a gigabyte of DR17
    for model, path in predictions.items():
        with threadpool_limits(threads):
            estimates = estimate(model, train, held, seed, classes, threads)
        write_predictions(path, written, estimates)
        val = estimates.take(held.val)
        if isinstance(val, Pdf):
            log.info(f"{model}: val RMSE {val.error(held.truth):.4f}, CRPS {val.score(held.truth):.4f}")
        else:
            log.info(f"{model}: val log loss {val.score(held.truth):.4f}")
