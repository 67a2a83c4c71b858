"""The SQL service of the embedded sky: T-SQL answered by SQLite, read-only."""

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from crossz.archive.sql import TABLES, checked_select
from crossz.catalog.raw import write_raw
from crossz.core.errors import CrosszError

_READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION}


def query(text: str, database: str | Path, source: str) -> pa.Table:
    """Rows of a T-SQL query, one Arrow column a result column.

    Parameters
    ----------
    text
        The query.
    database
        Path of the SQLite file that it reads.
    source
        Where the query stands, for errors.

    Returns
    -------
    pyarrow.Table
        64-bit ids are integers, or text where they exceed int64 (specObjID).

    Raises
    ------
    errors.CrosszError
        The text is not one SELECT over the allowed tables, or SQLite refuses it.
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
        raise CrosszError(f"{source}, in {database}: {error}") from error
    finally:
        connection.close()
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise CrosszError(f"{source}: column(s) {', '.join(repeated)} selected twice; give one an alias")
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pa.table({name: pa.array(values) for name, values in zip(names, columns, strict=True)})


def _authorise(action: int, first: str | None, second: str | None, *_: object) -> int:
    allowed = action in _READS and (action != sqlite3.SQLITE_READ or str(first).lower() in TABLES | {""})
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def write_query(
    *,
    sql: str | Path,
    database: str | Path,
    raw: str | Path,
    receipt: str | Path,
    extra_columns: Sequence[str] = (),
) -> None:
    """Run the query at `sql` on `database` and write its checked rows to `raw`, with a `receipt` of the query's hash."""
    text = Path(sql).read_text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    facts = {"source": "embedded sky", "query_sha256": digest}
    write_raw(query(text, database, str(sql)), str(sql), raw, receipt, facts, extra_columns)
