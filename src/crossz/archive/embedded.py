"""The SQL service of the embedded sky: T-SQL answered by SQLite, read-only."""

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from crossz.archive.sql import TABLES, checked_select
from crossz.catalog.objects import write_raw
from crossz.catalog.targets import COLUMNS, Finder, finder_of
from crossz.core.errors import CrosszError

_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}


def query(text: str, database: str | Path, source: str) -> pa.Table:
    """Rows of the T-SQL query `text` over the tables of `database`, one Arrow column a result column.

    64-bit ids come as integers, or as text where they exceed int64 (specObjID). Raises CrosszError, naming `source`,
    when the text is not one SELECT over the allowed tables or SQLite refuses it.
    """
    select = checked_select(text, source)
    for table in select.find_all(exp.Table):
        table.set("db", None)
        table.set("catalog", None)
    connection = sqlite3.connect(f"file:{Path(database).resolve()}?mode=ro", uri=True)
    try:
        connection.set_authorizer(_authorise)
        cursor = connection.execute(select.sql(dialect="sqlite"))
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
    except sqlite3.Error as error:
        raise CrosszError(f"{source}: {error}") from error
    finally:
        connection.close()
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise CrosszError(f"{source}: column(s) {', '.join(repeated)} selected twice; give one an alias")
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table({name: pa.array(values) for name, values in zip(names, columns, strict=True)})


def finder(database: str | Path) -> Finder:
    """Objects of the embedded sky by position or objID."""
    found = query(f"SELECT mode, {', '.join(COLUMNS)} FROM PhotoObjAll", database, "PhotoObjAll")
    return finder_of(found.to_pandas())


def _authorise(action: int, first: str | None, second: str | None, *_: object) -> int:
    allowed = action in _READS and (action != sqlite3.SQLITE_READ or str(first).lower() in TABLES | {""})
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def write_query(
    sql_path: str | Path,
    database: str | Path,
    raw_path: str | Path,
    receipt_path: str | Path,
    extra_columns: Sequence[str] = (),
) -> None:
    """Run the query of `sql_path` and write its checked rows, with a receipt of the query's hash."""
    text = Path(sql_path).read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    table = query(text, database, str(sql_path))
    write_raw(
        table, str(sql_path), raw_path, receipt_path, {"source": "embedded sky", "query_sha256": digest}, extra_columns
    )
