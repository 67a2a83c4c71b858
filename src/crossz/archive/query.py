"""A query on the real archive -> checked rows: counted first, then fetched in disjoint slices, one file each, resumable.

The service is passed in, so that how rows are fetched is no part of the digest of rule archive_query.
"""

import datetime
import functools
import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from crossz.archive import reply
from crossz.archive.sql import Query, Slice, archive_query, count_by_redshift, slice_text, slices
from crossz.catalog.columns import conform
from crossz.catalog.raw import write_raw
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, read_json, write_json
from crossz.core.foreign import read_rows

log = logging.getLogger(__name__)

T = TypeVar("T")
CAP = 100_000
"""Rows that a slice has at most: a fifth of SkyServer's limit, some 45 MB."""


class Ask(Protocol):
    """Sends SQL and gives `make` of the table of text columns that comes back, checked by `reply.table`."""

    def __call__(
        self, sql: str, columns: tuple[str, ...], rows: int | None, what: str, make: Callable[[pa.Table], T]
    ) -> T:
        """`rows`: how many there must be; `what`: the name of the question in messages."""


class Source(NamedTuple):
    """Where the rows of a query are read.

    Attributes
    ----------
    ask
        Sends SQL to it.
    base
        T-SQL whose rows are those of the query.
    rows
        How many there are.
    """

    ask: Ask
    base: str
    rows: int


class Service(Protocol):
    """A SQL service: casjobs.CasJobs or skyserver.SkyServer."""

    name: str
    address: str

    def open(self, query: Query, folder: Path, what: str) -> Source:
        """Have the rows of `query` ready and counted; `folder` may keep what a rerun needs."""


def write_archive_query(
    *,
    sql: str | Path,
    raw: str | Path,
    receipt: str | Path,
    cache: str | Path,
    context: str,
    extra_columns: Sequence[str] = (),
    service: Service,
) -> None:
    """Run a query on `service` and write its checked rows, with a receipt.

    Parameters
    ----------
    sql
        Path of the T-SQL.
    raw, receipt
        Written: the rows, and where they came from.
    cache
        A folder that keeps counts, jobs and finished slices, so that a rerun asks for nothing again. It may be deleted
        afterwards.
    context
        The database that is asked (archive.context).
    extra_columns
        Columns beside those of the row schema that are kept.
    service
        What answers.

    Raises
    ------
    errors.CrosszError
        Anything is not what was asked for. It names the query and the slice.
    """
    text = Path(sql).read_text()
    query = archive_query(text, str(sql), context)
    address = hashlib.sha256(service.address.encode()).hexdigest()[:6]  # another server's rows are other rows
    kept = hashlib.sha256(",".join(extra_columns).encode()).hexdigest()[:6]  # slices hold these columns
    folder = Path(cache, f"{query.digest}-{address}" + f"-{kept}" * bool(extra_columns))
    what = Path(sql).stem
    connect = functools.cache(lambda: service.open(query, folder, what))
    counts, time = _counts(connect, folder / "counts.json", what)
    parts = slices(counts, CAP, str(sql))
    tables = _tables(connect, parts, query.columns, extra_columns, folder, what)
    if not tables:
        raise CrosszError(f"{sql}: no rows; loosen the query's cuts or check its tables")
    facts = {
        "source": service.name,
        "address": service.address,
        "query_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "time": time,
        "slices": len(parts),
    }
    write_raw(pa.concat_tables(tables), str(sql), raw, receipt, facts, extra_columns)


def _tables(
    connect: Callable[[], Source],
    parts: Sequence[Slice],
    columns: tuple[str, ...],
    extra_columns: Sequence[str],
    folder: Path,
    what: str,
) -> list[pa.Table]:
    """The rows of each of `parts`, from its file in `folder` or asked for."""
    tables = []
    total = sum(part.rows for part in parts)
    for number, part in enumerate(parts, 1):
        path = folder / f"{part.first}-{part.last}.parquet"
        if not path.exists():
            log.info(f"{what}: slice {number} of {len(parts)}, {part.rows:,} of {total:,} rows")
            source = connect()
            name = f"{what}: slice {number} of {len(parts)}"
            rows = source.ask(slice_text(source.base, part), columns, part.rows, name, reply.unchanged)
            table = conform(rows, name, extra_columns)
            with atomic_path(path) as temporary:
                pq.write_table(table, temporary)
        tables.append(read_rows(path))
    return tables


def _counts(connect: Callable[[], Source], path: Path, what: str) -> tuple[dict[int | None, int], str]:
    """Rows in each redshift bin and when they were counted, asked once and kept at `path`."""
    if not path.exists():
        source = connect()
        for _ in range(3):
            count = count_by_redshift(source.base)
            bins = source.ask(count, ("bin", "n"), None, f"{what}: counting rows by redshift", reply.bins)
            if sum(n for _, n in bins) == source.rows:
                break
            log.info(f"{what}: the counts by redshift do not add up to {source.rows:,}; asking again")
        else:
            raise CrosszError(
                f"{what}: the service counts {source.rows:,} rows in all, but not by redshift; rerun later"
            )
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        write_json(path, {"time": now, "bins": bins})
    kept = read_json(path)
    try:
        return {None if first is None else int(first): int(n) for first, n in kept["bins"]}, str(kept["time"])
    except (KeyError, TypeError, ValueError) as error:
        raise CrosszError(f"{path}: damaged ({type(error).__name__}); delete it and rerun") from error
