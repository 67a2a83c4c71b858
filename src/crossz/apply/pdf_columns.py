"""The PDFs of a table of `predict` as they are written: mixtures as columns of arrays, densities on a grid, or nothing."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from crossz.core.errors import CrosszError
from crossz.estimates.pdf import Mixture, blocks, density
from crossz.estimates.predictions import mixtures_of

FORMS = ("mixture", "grid", "qp", "none")
"""What --pdf may say."""
GRID = np.linspace(0.0, 7.0, 701)
"""Redshifts of the densities of form grid."""
GRID_IN_WORDS = "0 to 7 in steps of 0.01"


def with_pdf(found: pd.DataFrame, form: str, text: bool) -> tuple[pd.DataFrame, dict[str, pa.Array]]:
    """The columns that are numbers, and those that are arrays, by name.

    Parameters
    ----------
    found
        What `predict` gave for n targets; weight_k, mean_k and sigma_k are NaN where there is no PDF.
    form
        One of FORMS.
    text
        Whether the file is a CSV, which has no arrays: a mixture keeps its columns weight_0, weight_1 ...

    Raises
    ------
    CrosszError
        A CSV cannot have a grid.
    """
    if form == "grid" and text:
        raise CrosszError("--pdf grid: a CSV has no arrays; write .parquet, .fits, .vot or .ecsv")
    mixture = mixtures_of(found)
    if mixture is None or (form == "mixture" and text):
        return found, {}
    flat = [f"{name}_{k}" for name in Mixture._fields for k in range(mixture.weight.shape[1])]
    rest = found.drop(columns=flat)
    if form in ("none", "qp"):
        return rest, {}
    if form == "grid":
        return rest, {"pdf": _array_column(_on_grid(mixture))}
    return rest, {f"pdf_{name}": _array_column(values) for name, values in mixture._asdict().items()}


def _on_grid(mixture: Mixture) -> np.ndarray:
    """p(z) [n, 701] float32; NaN without a PDF."""
    found = np.empty((len(mixture.weight), len(GRID)), np.float32)
    y = np.log1p(GRID)
    for rows, block in blocks(mixture):
        found[rows] = density(block, np.broadcast_to(y, (len(block.weight), len(y)))) / (1 + GRID)
    return found


def _array_column(values: np.ndarray) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])


def unpacked(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """weight_k, mean_k and sigma_k out of the columns pdf_weight, pdf_mean and pdf_sigma [n, K]; nothing if they are not there."""
    columns: dict[str, np.ndarray] = {}
    for name in Mixture._fields:
        if (values := arrays.get(f"pdf_{name}")) is not None:
            columns |= {f"{name}_{k}": values[:, k] for k in range(values.shape[1])}
    return columns
