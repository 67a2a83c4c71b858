"""A table of estimates that comes back: other programs may have changed it, so its columns are checked before they are used."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset

from crossz.apply.answer import OURS, header_in
from crossz.catalog.readers import read_all
from crossz.core.constants import OK
from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import refusing
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of

MOST_GAUSSIANS = 100
"""Of a PDF."""
_FARTHEST = 5.0  # of ln(1 + z): z = 147
_REMEDY = "read the table that `crossz predict` wrote"


def read_whole(path: str | Path) -> pa.Table:
    """All columns of a table of estimates: a file, or a folder of Parquet files.

    Raises
    ------
    CrosszError
        There is none, or it cannot be read.
    """
    if not Path(path).is_dir():
        if not Path(path).is_file():
            raise CrosszError(f"{path}: no such table of estimates; `crossz predict` makes one")
        return read_all(path)
    try:
        with refusing("not a folder of Parquet files alone"):
            return pyarrow.dataset.dataset(path, format="parquet").to_table()
    except Refused as error:
        raise CrosszError(f"{path}: {error}; {_REMEDY}") from error


def warning_in(path: str | Path, schema: pa.Schema) -> str:
    """The warning in the header of a table of estimates; empty without one. Raises CrosszError if the header is damaged."""
    try:
        with refusing("its header is damaged"):
            return str(header_in(schema).get("warning", ""))
    except Refused as error:
        raise CrosszError(f"{path}: {error}; {_REMEDY}") from error


def check_types(path: str | Path, table: pa.Table) -> None:
    """Refuse a table in which a column of ours has another type than `crossz predict` writes.

    Raises
    ------
    CrosszError
        `status` is no text, a number is none, or a PDF is no array of as many numbers in each row.
    """
    sizes = {}
    for place, field in enumerate(table.schema):
        name = (field.metadata or {}).get(OURS, b"").decode()
        kind = field.type
        if name == "status" and not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise CrosszError(f"{path}: column {field.name} is {kind}, not text; {_REMEDY}")
        if (name == "z_phot" or name.startswith("p_")) and not _is_number(kind):
            raise CrosszError(f"{path}: column {field.name} is {kind}, not numbers; {_REMEDY}")
        if name.startswith("pdf"):
            if not pa.types.is_nested(kind) or not hasattr(kind, "value_type") or not _is_number(kind.value_type):
                raise CrosszError(f"{path}: column {field.name} is {kind}, not arrays of numbers; {_REMEDY}")
            sizes[name] = _size(path, field.name, table[place])
    gaussians = {name: sizes.get(f"pdf_{name}") for name in Mixture._fields}
    if any(gaussians.values()) and len(set(gaussians.values())) > 1:
        found = ", ".join(f"pdf_{name} {size or 'no'}" for name, size in gaussians.items())
        raise CrosszError(f"{path}: the arrays of the PDFs have different lengths ({found}); {_REMEDY}")


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _size(path: str | Path, name: str, column: pa.ChunkedArray) -> int | None:
    """Numbers in each row of a column of arrays; None of a table without rows."""
    if column.null_count:
        raise CrosszError(f"{path}: column {name}: {column.null_count:,} rows are empty; {_REMEDY}")
    if not len(column):
        return None
    fewest, most = pc.min_max(pc.list_value_length(column)).as_py().values()
    if fewest != most or not most:
        raise CrosszError(f"{path}: column {name}: arrays of {fewest:,} to {most:,} numbers; {_REMEDY}")
    return int(most)


def check_values(path: str | Path, found: pd.DataFrame) -> None:
    """Refuse estimates that cannot be: those of objects with the status ok must be finite, and their PDFs must be PDFs.

    Raises
    ------
    CrosszError
        An estimate or a PDF is none, or a PDF has too many Gaussians. It names the first row, counted from 0.
    """
    try:
        mixtures = mixtures_of(found)
    except KeyError as error:
        raise CrosszError(f"{path}: a column of the PDFs is missing ({error}); {_REMEDY}") from error
    if mixtures is not None and "z_phot" not in found:
        raise CrosszError(f"{path}: there are PDFs, and no column z_phot; {_REMEDY}")
    wrong = {"z_phot is no redshift": ~(np.isfinite(z := _numbers(found, "z_phot")) & (z > -1))}
    if mixtures is not None:
        if mixtures.weight.shape[1] > MOST_GAUSSIANS:
            raise CrosszError(
                f"{path}: PDFs of {mixtures.weight.shape[1]:,} Gaussians; at most {MOST_GAUSSIANS} are read"
            )
        with np.errstate(invalid="ignore", over="ignore"):
            total = mixtures.weight.sum(1)
            fine = (mixtures.weight >= 0).all(1) & (np.abs(total - 1) < 1e-3)
            fine &= (np.abs(mixtures.mean) < _FARTHEST).all(1) & (
                (mixtures.sigma > 0) & (mixtures.sigma < _FARTHEST)
            ).all(1)
        wrong["its PDF is none (weights, means or sigmas)"] = ~fine
    for name in found:
        if str(name).startswith("p_"):
            p = _numbers(found, str(name))
            wrong[f"{name} is no probability"] = (p < 0) | (p > 1 + 1e-3)
    ok = found["status"].to_numpy(object) == OK
    for what, rows in wrong.items():
        if (ok & rows).any():
            first = int(np.flatnonzero(ok & rows)[0])
            raise CrosszError(f"{path}: row {first}: the status is ok, but {what}; {_REMEDY}")


def _numbers(found: pd.DataFrame, name: str) -> np.ndarray:
    return found[name].to_numpy(float, na_value=np.nan) if name in found else np.zeros(len(found))
