"""Scores per redshift, magnitude and warning bin, with bootstrap errors: `metrics_binned.csv`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.files import atomic_path
from crossz.metrics import score
from crossz.samples import bootstrap, read_predictions

SCORES = ["rmse", "frac_lt_0.1", "bias_median", "sigma_nmad", "outlier_0.15"]
RESAMPLES = 200
_LEAST = 5  # objects a bin: scores of fewer say nothing and stay empty
_Z_STEP, _G_STEP = 0.5, 1.0


def bins(rows: pd.DataFrame) -> Iterator[tuple[str, float, float, np.ndarray]]:
    """(binned by, low, high, rows that are in) of every bin: z_spec by 0.5, psfMag_g by 1 mag, zWarning 0 and the rest.

    A bin holds low <= value < high; of zWarning, low and high are 0, 0 or 1, 1 (any warning).
    """
    for name, column, step in (("z", "z_spec", _Z_STEP), ("g", "psfMag_g", _G_STEP)):
        values = rows[column].to_numpy(float)
        known = values[np.isfinite(values) & (values > 0)]
        if not len(known):
            continue
        for low in np.arange(np.floor(known.min() / step), np.floor(known.max() / step) + 1) * step:
            yield name, low, low + step, (values >= low) & (values < low + step)
    warned = rows["zWarning"].to_numpy(float)
    for flag in (0, 1):
        yield "zWarning", flag, flag, np.isfinite(warned) & ((warned != 0) == bool(flag))


def errors_of(objID: np.ndarray, z_spec: np.ndarray, z_phot: np.ndarray, seed: int) -> dict[str, float]:
    """Standard error of each of SCORES, by name, from a bootstrap over objects."""
    found = []
    for rows in bootstrap(objID, seed, RESAMPLES):
        scores = score(z_spec[rows], z_phot[rows])
        found.append([scores[name] for name in SCORES])
    return dict(zip(SCORES, np.std(found, axis=0, ddof=1), strict=True))


def binned(predictions: pd.DataFrame, seed: int) -> list[dict]:
    """One row a bin of `predictions` (objID, z_spec, z_phot, psfMag_g, zWarning): by, low, high, n (objects), scores, errors."""
    found = []
    for by, low, high, inside in bins(predictions):
        rows = predictions[inside]
        objects = rows["objID"].nunique()
        pairs = dict.fromkeys((name for key in SCORES for name in (key, f"{key}_err")), np.nan)
        if objects >= _LEAST:
            columns = [rows[name].to_numpy() for name in ("objID", "z_spec", "z_phot")]
            scores, errors = score(*columns[1:]), errors_of(*columns, seed)
            pairs |= {key: scores[key] for key in SCORES} | {f"{key}_err": errors[key] for key in SCORES}
        found.append({"by": by, "low": low, "high": high, "n": objects} | pairs)
    return found


def write_binned(
    prediction_paths: Iterable[str | Path], catalog_paths: Iterable[str | Path], binned_path: str | Path, seed: int
) -> None:
    """Write one row per dataset, model, inputs and bin: the test parts of all splits together."""
    columns = ["objID", "psfMag_g", "zWarning"]
    catalogs = {Path(path).stem: pq.read_table(path, columns=columns).to_pandas() for path in catalog_paths}
    tests: dict[tuple[str, str, str], list[pd.DataFrame]] = {}
    for dataset, model, _, inputs, table in read_predictions(prediction_paths):
        tests.setdefault((dataset, model, inputs), []).append(table[table["subset"] == "test"])
    rows = []
    for (dataset, model, inputs), parts in tests.items():
        table = pd.concat(parts).merge(catalogs[dataset], on="objID", validate="many_to_one")
        found = binned(table, seed)
        rows += [{"dataset": dataset, "model": model, "inputs": inputs} | row for row in found]
        print(f"{dataset} {model} {inputs}: {len(found)} bins of {len(table):,} estimates", flush=True)
    with atomic_path(binned_path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
