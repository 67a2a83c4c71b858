"""User SQL before it reaches a database: one SELECT, over the tables it may read, in the dialect of the engine."""

import sqlglot
from sqlglot import exp

from crossz.errors import CrosszError

TABLES = frozenset({"specobjall", "photoobjall"})
"""Tables that a query may read."""


def checked_select(text: str, source: str) -> exp.Select:
    """Parse T-SQL `text` into its one SELECT, without the `INTO` that only CasJobs needs.

    Raises CrosszError, naming `source`, when the text does not parse, is anything but one SELECT, or reads a table
    outside `TABLES`.
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
