"""User SQL before it reaches a database, and the questions made of it: how many rows, and which slice of them."""

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import sqlglot
from sqlglot import exp

from crossz.core.errors import CrosszError

TABLES = frozenset({"specobjall", "photoobjall", "wise_forcedtarget", "wise_xmatch", "wise_allsky", "propermotions"})
"""Tables that a query may read; the embedded sky has the first three."""
_BIN = "FLOOR(q.z * 100)"
"""Rows are counted and sliced by this expression of their redshift, the server's own arithmetic both times."""


def checked_select(text: str, source: str) -> exp.Select:
    """Parse T-SQL `text` into its one SELECT, without the `INTO` that only CasJobs needs.

    Raises
    ------
    errors.CrosszError
        The text does not parse, is anything but one SELECT, or reads a table outside `TABLES`. It names `source`.
    """
    try:
        statements = [statement for statement in sqlglot.parse(text, read="tsql") if statement is not None]
    except sqlglot.errors.ParseError as error:
        raise CrosszError(f"{source}: not T-SQL: {str(error).splitlines()[0]}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        kinds = ", ".join(type(statement).__name__.upper() for statement in statements) or "nothing"
        raise CrosszError(f"{source}: expected one SELECT, found {kinds}")
    select = statements[0]
    select.set("into", None)
    common = {cte.alias.lower() for cte in select.find_all(exp.CTE)}
    for table in select.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise CrosszError(f"{source}: {table.sql('tsql')} is no table; read {' or '.join(sorted(TABLES))}")
        if table.name.lower() not in TABLES | common:
            raise CrosszError(f"{source}: table {table.name} may not be read; only {' and '.join(sorted(TABLES))}")
    return select


class Query(NamedTuple):
    """A checked query for the real archive.

    Attributes
    ----------
    text
        Its T-SQL without context or INTO.
    columns
        Names of the columns of its result.
    digest
        Of the context and the text.
    """

    text: str
    columns: tuple[str, ...]
    digest: str


class Slice(NamedTuple):
    """Rows whose redshift bin is between `first` and `last` (None: no redshift), and the number of these rows."""

    first: int | None
    last: int | None
    rows: int


def archive_query(text: str, source: str, context: str) -> Query:
    """`text` checked, in the form that is sent: one line, no comments, no database names (`context` says which).

    Parameters
    ----------
    text
        T-SQL.
    source
        Where it stands, for errors.
    context
        The database that it will be asked of.

    Raises
    ------
    errors.CrosszError
        As in `checked_select`. A table is of another database than `context`. The query has WITH, which has no place in
        the subquery that rows are counted and sliced by. A column is selected by `*` or has no name of its own, or two
        have the same name.
    """
    select = checked_select(text, source)
    if select.args.get("with_") or select.args.get("with"):
        raise CrosszError(f"{source}: WITH cannot be sliced; write a subquery in FROM instead")
    for table in select.find_all(exp.Table):
        others = {table.db.lower(), table.catalog.lower()} - {"", "dbo", context.lower()}
        if others:
            raise CrosszError(
                f"{source}: {table.sql('tsql')} is of another release than archive.context {context}; change one of them"
            )
        table.set("db", None)
        table.set("catalog", None)
    columns = tuple(column.output_name for column in select.expressions)
    lower = [name.lower() for name in columns]
    if "*" in columns or not all(columns):
        raise CrosszError(f"{source}: name every column: * or a nameless expression cannot be checked in the answer")
    if repeated := sorted({name for name in lower if lower.count(name) > 1}):
        raise CrosszError(f"{source}: column(s) {', '.join(repeated)} selected twice; give one an alias")
    if "z" not in lower:
        raise CrosszError(f"{source}: select z as well: rows are counted and sliced by redshift")
    sent = select.sql(dialect="tsql", comments=False)
    digest = hashlib.sha256(f"{context.upper()} {sent}".encode()).hexdigest()[:12]
    return Query(sent, columns, digest)


def count_by_redshift(text: str) -> str:
    """The query for the number of rows of `text` in each redshift bin, columns `bin` and `n`."""
    return f"SELECT {_BIN} AS bin, COUNT_BIG(*) AS n FROM ({text}) AS q GROUP BY {_BIN}"


def slices(counts: Mapping[int | None, int], cap: int, source: str) -> list[Slice]:
    """Disjoint slices that hold all rows, in order.

    Parameters
    ----------
    counts
        Number of rows in each redshift bin; None: rows without a redshift.
    cap
        Largest number of rows of a slice.
    source
        Where the query stands, for errors.

    Raises
    ------
    errors.CrosszError
        A single bin has more than `cap` rows.
    """
    parts: list[Slice] = []
    for number in sorted(counts, key=lambda b: (b is None, b)):
        rows = counts[number]
        if rows > cap:
            raise CrosszError(
                f"{source}: {rows:,} rows in redshift bin {number}/100, the cap is {cap:,}; narrow the query"
            )
        last = parts[-1] if parts else None
        if last and number is not None and last.rows + rows <= cap:
            parts[-1] = Slice(last.first, number, last.rows + rows)
        else:
            parts.append(Slice(number, number, rows))
    return parts


def slice_text(text: str, part: Slice) -> str:
    """The query for the rows of `part` of `text`, with all its columns: naming them again would double a URL's length."""
    where = f"{_BIN} IS NULL" if part.first is None else f"{_BIN} BETWEEN {part.first} AND {part.last}"
    return f"SELECT * FROM ({text}) AS q WHERE {where}"
