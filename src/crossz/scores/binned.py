"""Scores per bin of redshift, estimate, magnitude and warning, with bootstrap errors: `metrics_binned.csv`."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.files import atomic_path
from crossz.core.paths import parse_catalog
from crossz.estimates import pdf
from crossz.estimates.estimates import dz
from crossz.estimates.predictions import mixtures_of, read_predictions, scored_rows
from crossz.scores.bootstrap import SCORES, Draws, draw, resampled
from crossz.scores.metrics import score
from crossz.scores.pdf_scores import ks_distance

log = logging.getLogger(__name__)

RESAMPLES = 200
"""Samples of the bootstrap."""
_LEAST = 5  # objects per bin: scores of fewer mean nothing and stay empty
_Z_STEP, _NEAR_STEP, _G_STEP = 0.5, 0.05, 1.0
_FAINTEST, _FARTHEST = 50.0, 21.0  # beyond, a magnitude is a mark of a missing value, and a redshift none
_NEAR = 1.0  # a sample whose redshifts all lie below is binned by _NEAR_STEP


class Bin(NamedTuple):
    """A bin, low <= value < high, and the rows inside it.

    Of zWarning, low and high are both 0, or both 1 for any warning.
    """

    by: str  # z, z_phot, g or zWarning
    low: float
    high: float
    inside: np.ndarray  # [n] bool


def bins(rows: pd.DataFrame) -> Iterator[Bin]:
    """All bins of a table.

    Bins of z_spec are 0.5 wide, or 0.05 where all redshifts are below 1. Bins of psfMag_g are 1 mag wide. Those of
    zWarning are 0 and all other values.

    Parameters
    ----------
    rows
        Rows [n] with z_spec, psfMag_g (mag) and zWarning.
    """
    yield from _even("z", rows["z_spec"].to_numpy(float), _z_step(rows))
    yield from _even("g", rows["psfMag_g"].to_numpy(float), _G_STEP)
    warned = rows["zWarning"].to_numpy(float)
    for flag in (0, 1):
        yield Bin("zWarning", flag, flag, np.isfinite(warned) & ((warned != 0) == bool(flag)))


def _z_step(rows: pd.DataFrame) -> float:
    return _NEAR_STEP if rows["z_spec"].max() < _NEAR else _Z_STEP


def _even(by: str, values: np.ndarray, step: float) -> Iterator[Bin]:
    """Bins of `step` that hold all positive values [n] that can be: a mark such as 1e300 would make as many bins."""
    known = values[(values > 0) & (values < (_FAINTEST if by == "g" else _FARTHEST))]
    if not len(known):
        return
    place = np.floor(values / step)
    for number in np.arange(np.floor(known.min() / step), np.floor(known.max() / step) + 1):
        yield Bin(by, round(number * step, 6), round((number + 1) * step, 6), place == number)


def score_bins(
    rows: pd.DataFrame,
    z_phot: Mapping[tuple[str, str], np.ndarray],
    seed: int,
    pit: Mapping[tuple[str, str], np.ndarray] | None = None,
) -> list[dict]:
    """Scores of every model in every bin.

    The same samples of objects serve all models, except in bins of each model's own z_phot, which are as wide as those of
    z_spec.

    Parameters
    ----------
    rows
        Rows [n] with objID, z_spec, psfMag_g (mag) and zWarning.
    z_phot
        Estimates [n] by model and inputs.
    seed
        Seed of the bootstrap.
    pit
        PIT [n] of the models that give PDFs.

    Returns
    -------
    list of dict
        One row per model and bin: model, inputs, by, low, high, n (objects), SCORES, their errors {score}_err, the
        standard deviation over samples of objects, and `calibration`, except in bins of z_spec: there it differs from
        that of new objects, whose redshift nobody knows. Scores of bins of fewer than five objects are NaN.
    """
    levels = pit or {}
    table: dict[tuple[str, str], list[dict]] = {key: [] for key in z_phot}
    for by, low, high, inside in bins(rows):
        objID, z_spec = (rows[name].to_numpy()[inside] for name in ("objID", "z_spec"))
        objects = len(np.unique(objID))
        draws = draw(objID, seed, RESAMPLES) if objects >= _LEAST else None
        for (model, inputs), estimates in z_phot.items():
            place = {"model": model, "inputs": inputs, "by": by, "low": low, "high": high, "n": objects}
            scores = _with_errors(z_spec, estimates[inside], draws)
            of_bin = levels[model, inputs][inside] if by != "z" and (model, inputs) in levels else None
            table[model, inputs].append(place | scores | calibration(of_bin))
    for (model, inputs), estimates in z_phot.items():
        for by, low, high, inside in _even("z_phot", estimates, _z_step(rows)):
            objID = rows["objID"].to_numpy()[inside]
            objects = len(np.unique(objID))
            place = {"model": model, "inputs": inputs, "by": by, "low": low, "high": high, "n": objects}
            draws = draw(objID, seed, RESAMPLES) if objects >= _LEAST else None
            scores = _with_errors(rows["z_spec"].to_numpy()[inside], estimates[inside], draws)
            of_bin = levels[model, inputs][inside] if (model, inputs) in levels else None
            table[model, inputs].append(place | scores | calibration(of_bin))
    return [row for model_rows in table.values() for row in model_rows]


def _with_errors(z_spec: np.ndarray, z_phot: np.ndarray, draws: Draws | None) -> dict[str, float]:
    scores: dict[str, float] = dict.fromkeys((name for key in SCORES for name in (key, f"{key}_err")), np.nan)
    if draws is not None:
        point, samples = score(z_spec, z_phot), resampled(dz(z_phot, z_spec), draws)
        scores |= {key: point[key] for key in SCORES}
        scores |= {f"{key}_err": float(np.std(samples[key], ddof=1)) for key in SCORES}
    return scores


def calibration(pit: np.ndarray | None) -> dict[str, float]:
    """How right the PDFs of a bin are, of their PIT [n].

    Returns
    -------
    dict
        pit_ks: `ks_distance`; central_68 and central_95: share of objects whose redshift lies within the central interval
        (z_low_68 to z_high_68 of a new object). NaN of fewer than five objects, and without PDFs.
    """
    if pit is None or len(pit) < _LEAST:
        return dict.fromkeys(("pit_ks", "central_68", "central_95"), np.nan)
    off = np.abs(pit - 0.5)
    return {
        "pit_ks": ks_distance(pit),
        **{f"central_{100 * p:.0f}": float((off <= p / 2).mean()) for p in (0.68, 0.95)},
    }


def pit_of(predictions: Iterable[str | Path]) -> dict[str, dict[tuple[str, str], np.ndarray]]:
    """PIT [n] of the test rows of all splits, in the order of `scored_rows`: by dataset, then by model and inputs."""
    parts: dict[str, dict[tuple[str, str], list[np.ndarray]]] = {}
    for dataset, model, _, inputs, table in read_predictions(predictions):
        test = table[table["subset"] == "test"]
        if (mixtures := mixtures_of(test)) is not None:
            of_model = parts.setdefault(dataset, {}).setdefault((model, inputs), [])
            of_model.append(pdf.cdf(mixtures, np.log1p(test["z_spec"].to_numpy())))
    return {name: {key: np.concatenate(pit) for key, pit in models.items()} for name, models in parts.items()}


def write_binned(
    *, predictions: Iterable[str | Path], catalogs: Iterable[str | Path], binned: str | Path, seed: int
) -> None:
    """Write metrics_binned.csv: one row per dataset, model, inputs and bin, of the test parts of all splits together.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet.
    catalogs
        Paths of catalogs, {dataset}.parquet.
    binned
        Path of the table to write.
    seed
        Seed of the bootstrap.
    """
    columns = ["objID", "psfMag_g", "zWarning"]
    by_dataset = {parse_catalog(path).dataset: pq.read_table(path, columns=columns).to_pandas() for path in catalogs}
    table = []
    paths = list(predictions)
    pit = pit_of(paths)
    for dataset, (tests, z_phot, _) in scored_rows(paths).items():
        objects = tests.merge(by_dataset[dataset], on="objID", validate="many_to_one")
        rows = score_bins(objects, z_phot, seed, pit.get(dataset))
        table += [{"dataset": dataset} | row for row in rows]
        log.info(f"{dataset}: {len(z_phot)} models in {len(rows) // len(z_phot)} bins of {len(tests):,} estimates")
    with atomic_path(binned) as temporary:
        pd.DataFrame(table).to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
