"""Which objects are cut in which job: shards of whole fields, contiguous in run and camcol."""

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


def plan(catalogs: Sequence[pd.DataFrame], shards: int) -> list[pd.DataFrame]:
    """The union of `catalogs`, one row per objID, as `shards` tables of about equal size.

    A field is never torn between shards, so that each frame is decoded once; within a shard fields follow each other
    along run and camcol, so that a neighbour field is at hand. With fewer fields than shards, some shards are empty.
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


def write_plan(catalog_paths: Sequence[str | Path], shard_paths: Sequence[str | Path], needs_fields: bool) -> None:
    """Write one Parquet file a shard.

    Raises CrosszError when `needs_fields` (frames will be cut) and an object has no rerun, run, camcol or field.
    """
    catalogs = [pq.read_table(path, columns=COLUMNS).to_pandas() for path in catalog_paths]
    if needs_fields:
        for path, catalog in zip(catalog_paths, catalogs, strict=True):
            absent = [name for name in FIELD if catalog[name].isna().any()]
            if absent:
                raise CrosszError(f"{path}: {', '.join(absent)} missing for some objects; add them to the query")
    for path, shard in zip(shard_paths, plan(catalogs, len(shard_paths)), strict=True):
        with atomic_path(path) as temporary:
            pq.write_table(pa.Table.from_pandas(shard, preserve_index=False), temporary)
        log.info(f"{path}: {len(shard):,} objects, {len(shard.drop_duplicates(list(FIELD))):,} fields")
