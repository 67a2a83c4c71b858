"""Which objects are cut in which job: shards of complete fields, contiguous in run and camcol.

A shard is a unit of work: the objects that one job cuts.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crossz.catalog.columns import FIELD
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path

log = logging.getLogger(__name__)

COLUMNS = ["objID", "specObjID", *FIELD, "ra", "dec"]
"""Columns of a plan."""


def plan(catalogs: Sequence[pd.DataFrame], shards: int) -> list[pd.DataFrame]:
    """Divide the union of catalogs into shards of about equal size.

    A field is never torn between shards, so that each frame is decoded once. Within a shard the fields follow each
    other along run and camcol, so that a neighbour field is at hand.

    Parameters
    ----------
    catalogs
        Tables with COLUMNS; an objID may stand in several.
    shards
        How many tables are wanted. With fewer fields than shards, some are empty.

    Returns
    -------
    list of DataFrame
        COLUMNS of each shard's objects; each objID stands in one shard, once.
    """
    union = pd.concat([catalog[COLUMNS] for catalog in catalogs]).drop_duplicates("objID")
    union = union.sort_values([*FIELD, "objID"], ignore_index=True)
    first_of_field = ~union.duplicated(list(FIELD))
    if first_of_field.sum() == 1:  # no fields known (or one): spread the objects themselves
        first_of_field[:] = True
    start = np.flatnonzero(first_of_field)
    wanted = np.arange(1, shards) * len(union) / shards
    cuts = [int(start[i]) if i < len(start) else len(union) for i in np.searchsorted(start, wanted)]
    return [union.iloc[a:b].reset_index(drop=True) for a, b in zip([0, *cuts], [*cuts, len(union)], strict=True)]


def write_plan(*, catalogs: Sequence[str | Path], shards: Sequence[str | Path], needs_fields: bool) -> None:
    """Write the plan of each shard.

    Parameters
    ----------
    catalogs
        What `objects.write_catalog` wrote.
    shards
        What is written: one Parquet file a shard.
    needs_fields
        Whether frames will be cut.

    Raises
    ------
    CrosszError
        Fields are needed, and an object has no rerun, run, camcol or field.
    """
    tables = [pq.read_table(path, columns=COLUMNS).to_pandas() for path in catalogs]
    if needs_fields:
        for path, table in zip(catalogs, tables, strict=True):
            absent = [name for name in FIELD if table[name].isna().any()]
            if absent:
                raise CrosszError(f"{path}: {', '.join(absent)} missing for some objects; add them to the query")
    for path, shard in zip(shards, plan(tables, len(shards)), strict=True):
        with atomic_path(path) as temporary:
            pq.write_table(pa.Table.from_pandas(shard, preserve_index=False), temporary)
        log.info(f"{path}: {len(shard):,} objects, {len(shard.drop_duplicates(list(FIELD))):,} fields")
