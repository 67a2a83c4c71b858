"""The rows of a finished query, checked and written under our names, with a receipt that says where they came from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crossz.catalog.columns import conform
from crossz.catalog.lists import read_table
from crossz.core.errors import fail_if
from crossz.core.files import atomic_path, digests, sha256, write_json

_GOOD = 1e-4  # zErr of a redshift that counts as good: only its sign and the order of several are used


def write_raw(
    table: pa.Table,
    source: str,
    path: str | Path,
    receipt_path: str | Path,
    receipt: dict,
    extra_columns: Sequence[str] = (),
) -> None:
    """Check rows against the columns of a catalog, and write them, with a receipt that says where they came from.

    Parameters
    ----------
    table
        Rows of a finished query.
    source
        What the rows come from, for messages.
    path, receipt_path
        What is written.
    receipt
        Content of the receipt; the number of rows and the file's digest are added.
    extra_columns
        Names of `photometry.columns`.

    Raises
    ------
    CrosszError
        The rows are not as `conform` wants them, or an extra column holds no value.
    """
    table = conform(table, source, extra_columns)
    empty = [name for name in extra_columns if not pc.any(pc.greater(table[name].cast(pa.float64()), -9999)).as_py()]
    fail_if([f"column {name} of photometry.columns holds no value; take it out of there" for name in empty], source)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary)
    write_json(receipt_path, receipt | {"rows": len(table), "sha256": digests(path)})


def write_user_catalog(
    *,
    source: str | Path,
    raw: str | Path,
    receipt: str | Path,
    columns: Mapping[str, str],
    units: str | None = None,
    extra_columns: Sequence[str] = (),
    published: bool = False,
) -> None:
    """Check a finished query of the user, and write its rows under our names, with a receipt.

    Parameters
    ----------
    source
        The user's table.
    raw, receipt
        What is written.
    columns
        The file's name of each of our columns, where the two differ.
    units
        Of the file's magnitudes (`lists.read_table`).
    extra_columns
        Names of `photometry.columns`.
    published
        Whether the table may be a catalog that was published elsewhere (`numbered`).
    """
    table = read_table(source, columns, extra_columns, units)
    table = numbered(table) if published else table
    origin = {"source": str(source), "source_sha256": sha256(source)}
    write_raw(table, str(source), raw, receipt, origin, extra_columns)


def numbered(table: pa.Table) -> pa.Table:
    """`table` with what published catalogs of quasars lack: their rows have neither ids of SDSS nor errors of redshifts.

    objID and specObjID are the number of the row, from 1, if the table has neither. zErr is the same for all rows if there
    is none: every redshift counts as good.
    """
    made = {}
    if not {"objID", "specObjID"} & set(table.column_names):
        number = np.arange(1, len(table) + 1)
        made = {"objID": pa.array(number), "specObjID": pa.array(number.astype(np.uint64))}
    if "zErr" not in table.column_names:
        made["zErr"] = pa.array(np.full(len(table), _GOOD))
    for name, values in made.items():
        table = table.append_column(name, values)
    return table
