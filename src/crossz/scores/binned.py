"""Scores per redshift, magnitude and warning bin, with bootstrap errors: `metrics_binned.csv`."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.files import atomic_path
from crossz.estimates.predictions import dz, test_rows
from crossz.scores.bootstrap import SCORES, draw, resampled
from crossz.scores.metrics import score

log = logging.getLogger(__name__)

RESAMPLES = 200
_LEAST = 5  # objects a bin: scores of fewer say nothing and stay empty
_Z_STEP, _NEAR_STEP, _G_STEP = 0.5, 0.05, 1.0
_NEAR = 1.0  # a sample that ends before is binned by _NEAR_STEP


def bins(rows: pd.DataFrame) -> Iterator[tuple[str, float, float, np.ndarray]]:
    """(binned by, low, high, rows that are in) of every bin: z_spec by 0.5, or by 0.05 where all is nearer than 1; psfMag_g by 1 mag;
    zWarning 0 and the rest.

    A bin holds low <= value < high; of zWarning, low and high are 0, 0 or 1, 1 (any warning).
    """
    near = rows["z_spec"].max() < _NEAR
    for name, column, step in (("z", "z_spec", _NEAR_STEP if near else _Z_STEP), ("g", "psfMag_g", _G_STEP)):
        values = rows[column].to_numpy(float)
        known = values[np.isfinite(values) & (values > 0)]
        if not len(known):
            continue
        place = np.floor(values / step)
        for number in np.arange(np.floor(known.min() / step), np.floor(known.max() / step) + 1):
            yield name, round(number * step, 6), round((number + 1) * step, 6), place == number
    warned = rows["zWarning"].to_numpy(float)
    for flag in (0, 1):
        yield "zWarning", flag, flag, np.isfinite(warned) & ((warned != 0) == bool(flag))


def binned(rows: pd.DataFrame, z_phot: dict[tuple[str, str], np.ndarray], seed: int) -> list[dict]:
    """One row a model and bin: model, inputs, by, low, high, n (objects), SCORES and their bootstrap errors over objects.

    `rows` [n]: objID, z_spec, psfMag_g, zWarning; `z_phot` [n] by model and inputs. The same samples of objects serve all models.
    """
    found: dict[tuple[str, str], list[dict]] = {key: [] for key in z_phot}
    for by, low, high, inside in bins(rows):
        objID, z_spec = (rows[name].to_numpy()[inside] for name in ("objID", "z_spec"))
        objects = len(np.unique(objID))
        draws = draw(objID, seed, RESAMPLES) if objects >= _LEAST else None
        for (model, inputs), estimates in z_phot.items():
            pairs = dict.fromkeys((name for key in SCORES for name in (key, f"{key}_err")), np.nan)
            if draws is not None:
                scores = score(z_spec, estimates[inside])
                samples = resampled(dz(estimates[inside], z_spec), draws)
                pairs |= {key: scores[key] for key in SCORES}
                pairs |= {f"{key}_err": np.std(samples[key], ddof=1) for key in SCORES}
            place = {"model": model, "inputs": inputs, "by": by, "low": low, "high": high, "n": objects}
            found[model, inputs].append(place | pairs)
    return [row for rows in found.values() for row in rows]


def write_binned(
    prediction_paths: Iterable[str | Path], catalog_paths: Iterable[str | Path], binned_path: str | Path, seed: int
) -> None:
    """Write one row per dataset, model, inputs and bin: the test parts of all splits together."""
    columns = ["objID", "psfMag_g", "zWarning"]
    catalogs = {Path(path).stem: pq.read_table(path, columns=columns).to_pandas() for path in catalog_paths}
    rows = []
    for dataset, (tests, z_phot) in test_rows(prediction_paths).items():
        found = binned(tests.merge(catalogs[dataset], on="objID", validate="many_to_one"), z_phot, seed)
        rows += [{"dataset": dataset} | row for row in found]
        log.info(f"{dataset}: {len(z_phot)} models in {len(found) // len(z_phot)} bins of {len(tests):,} estimates")
    with atomic_path(binned_path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
