"""Estimates for a HATS catalog of any size: LSDB maps a bundle over its partitions, on as many workers as Dask has.

    import crossz, lsdb
    from dask.distributed import Client

    if __name__ == "__main__":
        with Client(n_workers=8, threads_per_worker=1):
            catalog = lsdb.open_catalog("everything")
            crossz.map_catalog(catalog, "results/bundle/extended-crossmodal").write_catalog("redshifts")

This needs `lsdb` (`pip install crossz[lsdb]`). It is not imported here: LSDB calls, and is not called.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from crossz.apply.answer import answered, own_places
from crossz.apply.bundle import Bundle, load_bundle
from crossz.apply.pdf_columns import with_pdf
from crossz.apply.predict import predict
from crossz.catalog.batches import ROWS
from crossz.catalog.lists import check_needed, reading, renamed
from crossz.catalog.readers import fields_of
from crossz.models.device import deterministic

if TYPE_CHECKING:
    Catalog = Any  # of lsdb, which is optional


def map_catalog(
    catalog: "Catalog", bundle: str | Path, columns: Mapping[str, str] | None = None, units: str | None = None
) -> "Catalog":
    """The catalog with the columns of `crossz predict` behind its own, computed when LSDB writes or computes it.

    Parameters
    ----------
    catalog
        An `lsdb.Catalog` with the magnitudes and errors that the bundle reads.
    bundle
        The folder of a bundle, at the same place for all workers. Each worker reads it once.
    columns
        The catalog's name of each of our columns, where the two differ.
    units
        Of its magnitudes and errors, as for the command.

    Raises
    ------
    CrosszError
        The bundle is damaged, or the catalog lacks a column.
    """
    return catalog.map_partitions(partition_estimates, str(bundle), dict(columns or {}), units)


def partition_estimates(
    partition: pd.DataFrame, bundle: str, columns: Mapping[str, str] | None = None, units: str | None = None
) -> pd.DataFrame:
    """One partition with its estimates; parameters and errors are those of `map_catalog`.

    Returns
    -------
    pandas.DataFrame
        The rows of `partition`, with its index. It may be empty.
    """
    networks = _loaded(bundle)
    flat = [str(name) for name, kind in partition.dtypes.items() if not str(kind).startswith("nested")]
    plain = pd.DataFrame({name: partition[name].array for name in flat})
    table = pa.Table.from_pandas(plain, preserve_index=False).replace_schema_metadata(None)
    how = reading(fields_of(table.schema), "the catalog", columns, networks.splits[0].info.columns, units)
    check_needed(how, networks.columns)
    own = own_places(table, how.columns)
    parts = []
    for start in range(0, max(len(table), 1), ROWS):
        rows = table.slice(start, ROWS)
        found, arrays = with_pdf(predict(renamed(rows, how), networks), "mixture", False)
        whole = answered(rows, found, own, {}, arrays)
        parts.append(whole.select(whole.column_names[len(flat) :]))
    ours = pa.concat_tables(parts).to_pandas(types_mapper=pd.ArrowDtype)
    return partition.assign(**{name: ours[name].array for name in ours})


@functools.lru_cache(maxsize=1)
def _loaded(bundle: str) -> Bundle:
    deterministic(1)  # Dask has a worker for each core
    return load_bundle(bundle)
