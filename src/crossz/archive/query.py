"""A query on the real archive -> checked rows: counted first, then fetched in disjoint slices, one file each, resumable."""

import datetime
import functools
import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from crossz.archive import casjobs, reply, skyserver
from crossz.archive.http import Client, Denied, Missing, limits
from crossz.archive.sql import Query, archive_query, count_by_redshift, slice_text, slices
from crossz.catalog.columns import conform
from crossz.catalog.objects import write_raw
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, read_json, write_json

log = logging.getLogger(__name__)


def write_archive_query(
    sql_path: str | Path,
    backend: str,
    archive: dict,
    cache: str | Path,
    raw_path: str | Path,
    receipt_path: str | Path,
    extra_columns: Sequence[str] = (),
) -> None:
    """Run the query of `sql_path` on `backend` ("casjobs" or "skyserver") and write its checked rows, with a receipt.

    `archive`: the block of the configuration. `cache`: a folder that keeps counts, jobs and finished slices, so that a rerun
    asks for nothing again; it may be deleted afterwards. Raises CrosszError, naming the query and the slice, for anything
    that is not what was asked for.
    """
    text = Path(sql_path).read_text()
    query = archive_query(text, str(sql_path), archive["context"])
    address = hashlib.sha256(archive[backend].encode()).hexdigest()[:6]  # another server's rows are other rows
    kept = hashlib.sha256(",".join(extra_columns).encode()).hexdigest()[:6]  # slices hold these columns
    folder = Path(cache, f"{query.digest}-{address}" + f"-{kept}" * bool(extra_columns))
    what = Path(sql_path).stem
    with Client(limits(archive)) as client, _right_address(backend):
        connect = functools.cache(partial(_connect, backend, client, archive, query, folder, what))
        counts, asked = _counts(connect, folder / "counts.json", what)
        parts = slices(counts, skyserver.CAP, str(sql_path))
        total = sum(part.rows for part in parts)
        tables = []
        for number, part in enumerate(parts, 1):
            path = folder / f"{part.first}-{part.last}.parquet"
            if not path.exists():
                log.info(f"{what}: slice {number} of {len(parts)}, {part.rows:,} of {total:,} rows")
                ask, base, _ = connect()
                name = f"{what}: slice {number} of {len(parts)}"
                rows = ask(slice_text(base, part, query.columns), query.columns, part.rows, name)
                table = conform(rows, name, extra_columns)
                with atomic_path(path) as temporary:
                    pq.write_table(table, temporary)
            tables.append(pq.read_table(path))
    if not tables:
        raise CrosszError(f"{sql_path}: no rows; loosen the query's cuts or check its tables")
    receipt = {
        "source": backend,
        "address": archive[backend],
        "query_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "time": asked,
        "slices": len(parts),
    }
    write_raw(pa.concat_tables(tables), str(sql_path), raw_path, receipt_path, receipt, extra_columns)


@contextmanager
def _right_address(backend: str) -> Iterator[None]:
    try:
        yield
    except (Missing, Denied) as error:
        raise CrosszError(f"{backend} does not serve {error}; is archive.{backend} the right address?") from error


def _connect(backend: str, client: Client, archive: dict, query: Query, folder: Path, what: str) -> tuple:
    """(function that asks, the T-SQL whose rows are wanted, how many there are), on the service that `backend` names."""
    if backend == "casjobs":
        session = casjobs.Session(client, archive)
        table, rows = casjobs.prepare(query, session, folder / "jobs.json", what)
        return partial(session.quick, "MyDB"), f"SELECT * FROM {table}", rows
    ask = skyserver.ask(client, archive)
    count = f"SELECT COUNT_BIG(*) AS n FROM ({query.text}) AS q"
    return ask, query.text, ask(count, ("n",), 1, f"{what}: counting rows", reply.number)


def _counts(connect: Callable[[], tuple], path: Path, what: str) -> tuple[dict[int | None, int], str]:
    """Rows in each redshift bin and when they were counted, asked once and kept at `path`."""
    if not path.exists():
        ask, base, rows = connect()
        for _ in range(3):
            count = count_by_redshift(base)
            bins = ask(count, ("bin", "n"), None, f"{what}: counting rows by redshift", reply.bins)
            if sum(n for _, n in bins) == rows:
                break
            log.info(f"{what}: the counts by redshift do not add up to {rows:,}; asking again")
        else:
            raise CrosszError(f"{what}: the service counts {rows:,} rows in all, but not by redshift; rerun later")
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        write_json(path, {"time": now, "bins": bins})
    kept = read_json(path)
    return dict(kept["bins"]), kept["time"]
