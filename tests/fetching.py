"""Running a query on a local archive, and counting what it was asked."""

import pyarrow.parquet as pq
from helpers import ROOT, archive

from crossz.archive import query, services
from crossz.archive.sql import archive_query

SQL = ROOT / "workflow/sql/extended.sql"
DIGEST = archive_query(SQL.read_text(), "extended.sql", "DR17").digest


def rows(folder):
    """The rows that were written, in a fixed order."""
    return pq.read_table(folder / "raw.parquet").to_pandas().sort_values("specObjID", ignore_index=True)


def fetch(server, folder, backend="casjobs", sql=SQL, **more):
    """The rows of a query; `more`: settings of the archive block."""
    folder.mkdir(exist_ok=True)
    outputs = {"raw": folder / "raw.parquet", "receipt": folder / "receipt.json"}
    with services.connected(backend, archive(server.url, **more)) as service:
        query.write_archive_query(sql=sql, **outputs, cache=folder / "cache", context="DR17", service=service)
    return rows(folder)


def asked(server, method, path, sql=""):
    """How many requests there were of this kind."""
    return sum(hit.method == method and path in hit.path and sql in (hit.sql or "") for hit in server.hits)
