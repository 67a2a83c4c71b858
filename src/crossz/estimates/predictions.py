"""The table of predictions that every model writes of a split, and reading it back."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.core.paths import parse_predictions
from crossz.estimates.estimates import Estimate
from crossz.estimates.pdf import Mixture


def write_predictions(path: str | Path, rows: pd.DataFrame, estimate: Estimate) -> None:
    """Write one row an object: objID, the truth (z_spec, or class), subset, and the columns of `estimate`.

    Parameters
    ----------
    path
        The Parquet file.
    rows
        Catalog rows [n] with a column subset.
    estimate
        Of the same n objects: `Point`, `Pdf` or `ClassProbabilities`.

    Raises
    ------
    CrosszError
        An estimate is not finite.
    """
    if not (finite := estimate.finite()).all():
        raise CrosszError(f"{path}: {int((~finite).sum())} predictions are not finite")
    (first, values), *others = estimate.columns().items()
    columns = {"objID": rows["objID"], **estimate.truth_columns(rows), first: values, "subset": rows["subset"]}
    columns |= dict(others)
    with atomic_path(path) as temporary:
        pd.DataFrame(columns).to_parquet(temporary, index=False)


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

    A table of all columns, or of those of `columns` that it has: those of the PDFs are nine tenths of a file.
    """
    for path in map(Path, paths):
        there = None if columns is None else [name for name in columns if name in pq.read_schema(path).names]
        yield *parse_predictions(path), pq.read_table(path, columns=there).to_pandas()


class ScoredRows(NamedTuple):
    """The test rows of all splits of a dataset, and what each model says of them."""

    rows: pd.DataFrame  # objID, z_spec, split
    z_phot: dict[tuple[str, str], np.ndarray]  # [n] by model and inputs, in the order of the paths
    z_median: dict[tuple[str, str], np.ndarray]  # the same, z_phot of models without PDFs


def scored_rows(paths: Iterable[str | Path]) -> dict[str, ScoredRows]:
    """The test parts of predictions, by dataset. Raises CrosszError when models were not scored on the same objects."""
    parts: dict[str, dict[tuple[str, str], list[pd.DataFrame]]] = {}
    for dataset, model, split, inputs, table in read_predictions(
        paths, ["objID", "z_spec", "z_phot", "z_median", "subset"]
    ):
        test = table.loc[table["subset"] == "test"].assign(split=split)
        if "z_median" not in test:
            test["z_median"] = test["z_phot"]
        parts.setdefault(dataset, {}).setdefault((model, inputs), []).append(test)
    scored = {}
    for dataset, models in parts.items():
        tables = {key: pd.concat(subset, ignore_index=True) for key, subset in models.items()}
        first = next(iter(tables.values()))
        for (model, inputs), table in tables.items():
            if not table[["objID", "split"]].equals(first[["objID", "split"]]):
                raise CrosszError(
                    f"{dataset}: {model} {inputs} was scored on other objects than the rest; rerun -R train references mml"
                )
        scored[dataset] = ScoredRows(
            first[["objID", "z_spec", "split"]],
            *({key: table[name].to_numpy() for key, table in tables.items()} for name in ("z_phot", "z_median")),
        )
    return scored
