"""The networks of all splits together: their temperature, and scores of objects that several splits held out."""

import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from crossz.core.files import write_json
from crossz.core.paths import parse_predictions
from crossz.estimates import classes, ensemble, pdf
from crossz.estimates.ends import at_ends, ends_of
from crossz.estimates.ensemble import HeldOut
from crossz.estimates.estimates import ClassProbabilities, Estimate, Pdf, Point
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of, read_predictions
from crossz.scores import metrics, pdf_scores

log = logging.getLogger(__name__)

SHARE = 0.68
"""Of the probability, and of the objects, that the sets hold by which a temperature is fitted."""
_ENOUGH = 4000  # objects: they tell a coverage to 0.7 %
_LIMITS = 0.3, 2.0
_HALVINGS = 8  # of the logarithm: to 0.7 %
_POINTS = 128  # of each PDF: 68 % are 87.04, where two more points of a symmetric PDF rise above a density


def write_ensemble(*, predictions: Iterable[str | Path], ensemble: str | Path) -> None:
    """Write what the splits of one network are worth together.

    Parameters
    ----------
    predictions
        Paths of its tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet, of all splits and inputs.
    ensemble
        The JSON file to write: splits (their number); ends, of redshifts only; temperature by inputs, of the mean over all
        splits, empty of points; scores by inputs, `score`.
    """
    by_inputs: dict[str, list[str | Path]] = {}
    for path in predictions:
        by_inputs.setdefault(parse_predictions(path).inputs, []).append(path)
    content = of_tables(
        {inputs: [table for *_, table in read_predictions(paths)] for inputs, paths in by_inputs.items()}
    )
    write_json(ensemble, content)
    for inputs, value in content["temperature"].items():
        log.info(f"{inputs}: temperature of {content['splits']} splits together {value:.3f}")


def of_tables(tables: dict[str, list[pd.DataFrame]]) -> dict:
    """The content of `write_ensemble`'s file, of the tables of each split by inputs."""
    first = next(iter(tables.values()))
    count, ends = len(first), ends_of(first)
    temperature, scores = {}, {}
    for inputs, of_splits in tables.items():
        truths, estimates = zip(*map(_estimate, of_splits), strict=True)
        parts = ensemble.held_out([table["objID"].to_numpy() for table in of_splits], truths, estimates)
        if (limit := fit_temperature(parts)) is not None:
            temperature[inputs] = ensemble.temperature(limit, count)
        if parts:
            scores[inputs] = score(cross_fitted(parts), ends)
    told = {} if ends is None else {"ends": ends}
    return {"splits": count, **told, "temperature": temperature, "scores": scores}


def fit_temperature(parts: Sequence[HeldOut]) -> float | None:
    """The limit of the temperature at which 68 % sets hold 68 % of the objects; of classes that of the smallest log loss.

    The CRPS hardly depends on the temperature, and the smallest one has sets that are too wide (docs/ablations.md).
    """
    if not parts or not isinstance(parts[0].estimate, Pdf):
        return ensemble.fit_temperature(parts)
    some = ensemble.sample(parts, _ENOUGH)
    low, high = _LIMITS
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _covered(some, middle) < SHARE else (low, middle)
    return math.sqrt(low * high)


def _covered(parts: Sequence[HeldOut], limit: float) -> float:
    # The share of the objects that 68 % sets hold. It grows with the limit.
    found = [part.recalibrated(limit) for part in parts]
    pdfs = [(part.estimate.mixture, np.log1p(part.truth)) for part in found if isinstance(part.estimate, Pdf)]
    return float(np.mean(np.concatenate([_levels(mixture, y) for mixture, y in pdfs]) <= SHARE))


def _levels(mixtures: Mixture, y: np.ndarray) -> np.ndarray:
    # pdf_scores.credible_level to some 1 %, ten times as fast: the share of points whose density is above that of y.
    found = np.empty(len(y))
    for rows, block in pdf.blocks(mixtures):
        own = pdf.density(block, y[rows])
        found[rows] = (pdf.density(block, pdf.points(block, _POINTS)) > own[:, None]).mean(1)
    return found


def cross_fitted(parts: Sequence[HeldOut]) -> list[HeldOut]:
    """The objects, each recalibrated by a temperature that was fitted on the other half of them."""
    halves = [[part.every(2, first) for part in parts] for first in (0, 1)]
    limits = [fit_temperature([part for part in half if len(part.truth)]) for half in halves]
    return [
        part.recalibrated(limit)
        for half, limit in zip(halves, limits[::-1], strict=True)
        for part in half
        if len(part.truth)
    ]


def score(parts: Sequence[HeldOut], ends: Sequence[float] | None = None) -> dict[str, float]:
    """Scores of means over the splits that held an object out.

    Parameters
    ----------
    parts
        The objects.
    ends
        What `ends_of` gave.

    Returns
    -------
    dict
        n (objects) and splits (mean number of them that held an object out). Of redshifts rmse (of z_phot) and sigma_nmad
        (of z_median); of PDFs also the scores of `pdf_scores.score`, and at_low_end and at_high_end, the shares of
        `ends.at_ends`. Of classes accuracy and log_loss.
    """
    size = np.array([len(part.truth) for part in parts])
    found: dict[str, float] = {
        "n": int(size.sum()),
        "splits": float(np.average([part.splits for part in parts], weights=size)),
    }
    truth = np.concatenate([part.truth for part in parts])
    estimates = [part.estimate for part in parts]
    if isinstance(estimates[0], ClassProbabilities):
        losses = [estimate.score(part.truth) for estimate, part in zip(estimates, parts, strict=True)]
        wrong = [estimate.error(part.truth) for estimate, part in zip(estimates, parts, strict=True)]
        return found | {"accuracy": float(1 - size @ wrong / size.sum()), "log_loss": float(size @ losses / size.sum())}
    for name in ("rmse", "sigma_nmad"):
        points = [getattr(one, "z_median" if name == "sigma_nmad" else "z_phot") for one in estimates]
        found[name] = metrics.score(truth, np.concatenate(points))[name]
    pdfs = [(one.mixture, part.truth) for one, part in zip(estimates, parts, strict=True) if isinstance(one, Pdf)]
    if pdfs:
        each = pd.DataFrame([pdf_scores.score(mixture, z) for mixture, z in pdfs])
        found |= {name: float(size @ each[name] / size.sum()) for name in ("crps", "coverage_68", "coverage_95")}
        found["pit_ks"] = pdf_scores.ks_distance(np.concatenate([pdf.cdf(mixture, np.log1p(z)) for mixture, z in pdfs]))
    if pdfs and ends is not None:
        share = np.concatenate([at_ends(mixture, ends) for mixture, _ in pdfs]).mean(0)
        found |= dict(zip(("at_low_end", "at_high_end"), share.tolist(), strict=True))
    return found


def _estimate(table: pd.DataFrame) -> tuple[np.ndarray, Estimate]:
    # What is true of the objects of a table of predictions, and their estimates.
    if (probabilities := classes.probabilities_of(table)) is not None:
        names, probability = probabilities
        return classes.labels(table, names), ClassProbabilities(probability, tuple(names))
    mixtures = mixtures_of(table)
    z = table["z_spec"].to_numpy()
    return z, Point(table["z_phot"].to_numpy()) if mixtures is None else Pdf(mixtures)
