"""Which rows every model of a split sees, and the table of predictions that each of them writes."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.catalog.class_names import cleaned_class
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.estimates import classes, pdf
from crossz.estimates.pdf import Mixture


def dz(z_phot: np.ndarray, z_spec: np.ndarray) -> np.ndarray:
    """Signed normalised error (z_phot - z_spec) / (1 + z_spec) (paper, eq. 11)."""
    z_phot, z_spec = np.asarray(z_phot, float), np.asarray(z_spec, float)
    return (z_phot - z_spec) / (1 + z_spec)


def write_predictions(
    path: str | Path, rows: pd.DataFrame, z_phot: np.ndarray, mixtures: Mixture | None = None
) -> None:
    """Write objID, z_spec, z_phot, subset; of a model with PDFs also the mixtures in ln(1 + z) (weight_k, mean_k, sigma_k)
    and the two highest peaks (z_peak_1, p_peak_1, z_peak_2, p_peak_2).

    Raises CrosszError when a prediction is not finite.
    """
    if not np.isfinite(z_phot).all():
        raise CrosszError(f"{path}: {int((~np.isfinite(z_phot)).sum())} predictions are not finite")
    columns = {"objID": rows["objID"], "z_spec": rows["z"], "z_phot": z_phot, "subset": rows["subset"]}
    if mixtures is not None:
        columns |= mixture_columns(mixtures)
    with atomic_path(path) as temporary:
        pd.DataFrame(columns).to_parquet(temporary, index=False)


def write_classes(path: str | Path, rows: pd.DataFrame, probability: np.ndarray, names: Sequence[str]) -> None:
    """Write objID, class, class_phot (the most probable one), subset, and p_{class} [n] of the classes `names`.

    Raises CrosszError when a probability is not finite.
    """
    if not np.isfinite(probability).all():
        raise CrosszError(f"{path}: {int((~np.isfinite(probability)).any(1).sum())} predictions are not finite")
    columns = {"objID": rows["objID"], "class": cleaned_class(rows["class"]).astype(object), "subset": rows["subset"]}
    with atomic_path(path) as temporary:
        pd.DataFrame(columns | classes.columns(probability, names)).to_parquet(temporary, index=False)


def mixture_columns(mixtures: Mixture) -> dict[str, np.ndarray]:
    """Mixtures as columns weight_k, mean_k, sigma_k, and their two highest peaks: z_peak_1, p_peak_1, z_peak_2, p_peak_2."""
    columns = {f"{name}_{k}": part[:, k] for name, part in mixtures._asdict().items() for k in range(part.shape[1])}
    z, share = pdf.peaks(mixtures)
    return columns | {
        f"{name}_{k + 1}": part[:, k] for k in (0, 1) for name, part in (("z_peak", z), ("p_peak", share))
    }


def mixtures_of(table: pd.DataFrame) -> Mixture | None:
    """The PDFs of a table of predictions, None where the model gives points only."""
    count = sum(name.startswith("weight_") for name in table.columns)
    if not count:
        return None
    return Mixture(*(table[[f"{name}_{k}" for k in range(count)]].to_numpy() for name in Mixture._fields))


def read_predictions(
    paths: Iterable[str | Path], columns: list[str] | None = None
) -> Iterator[tuple[str, str, int, str, pd.DataFrame]]:
    """(dataset, model, split, inputs, table) of each .../{dataset}/{model}/{split}/{inputs}.parquet, in their order.

    A table of all columns, or of `columns` alone: those of the PDFs are nine tenths of a file.
    """
    for path in map(Path, paths):
        dataset, model, split = path.parts[-4:-1]
        yield dataset, model, int(split), path.stem, pq.read_table(path, columns=columns).to_pandas()


class TestRows(NamedTuple):
    """The test rows of all splits of a dataset, and what each model says of them."""

    rows: pd.DataFrame  # objID, z_spec, split
    z_phot: dict[tuple[str, str], np.ndarray]  # [n] by model and inputs, in the order of the paths


def test_rows(paths: Iterable[str | Path]) -> dict[str, TestRows]:
    """The test parts of predictions, by dataset. Raises CrosszError when models were not scored on the same objects."""
    parts: dict[str, dict[tuple[str, str], list[pd.DataFrame]]] = {}
    for dataset, model, split, inputs, table in read_predictions(paths, ["objID", "z_spec", "z_phot", "subset"]):
        test = table.loc[table["subset"] == "test", ["objID", "z_spec", "z_phot"]].assign(split=split)
        parts.setdefault(dataset, {}).setdefault((model, inputs), []).append(test)
    found = {}
    for dataset, models in parts.items():
        tables = {key: pd.concat(some, ignore_index=True) for key, some in models.items()}
        first = next(iter(tables.values()))
        for (model, inputs), table in tables.items():
            if not table[["objID", "split"]].equals(first[["objID", "split"]]):
                raise CrosszError(
                    f"{dataset}: {model} {inputs} was scored on other objects than the rest; rerun -R train references mml"
                )
        found[dataset] = TestRows(
            first.drop(columns="z_phot"), {key: table["z_phot"].to_numpy() for key, table in tables.items()}
        )
    return found
