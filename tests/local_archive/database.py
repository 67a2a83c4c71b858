"""T-SQL answered by SQLite: the statement, the tables that it may read, its rows."""

import math
import sqlite3
from pathlib import Path
from typing import NamedTuple

import sqlglot
from sqlglot import exp


class Rows(NamedTuple):
    names: list[str]
    rows: list[tuple]


class SqlError(Exception):
    """What the database says of a query."""


def parse(text: str) -> list[exp.Expression]:
    try:
        return [statement for statement in sqlglot.parse(text, read="tsql") if statement is not None]
    except sqlglot.errors.SqlglotError as error:
        raise SqlError(f"Incorrect syntax: {str(error).splitlines()[0]}") from error


def statement_of(text: str, context: str) -> exp.Expression:
    """The statement of `text`, its tables looked up in `context` ("DR17" or "MyDB") if they do not say where they are."""
    statements = parse(text)
    if len(statements) != 1 or not isinstance(statements[0], exp.Query | exp.Drop):
        raise SqlError("only one SELECT or DROP TABLE at a time")
    statement = statements[0]
    common = {expression.alias.lower() for expression in statement.find_all(exp.CTE)}
    for table in statement.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and table.this.args.get("temporary"):  # #upload and #x
            table.set("db", exp.to_identifier("main"))
            continue
        named = [part.lower() for part in (table.catalog, table.db) if part and part.lower() != "dbo"]
        if not named and table.name.lower() in common:
            continue
        schema = {"dr17": "sky", "mydb": "main"}.get((named or [context.lower()])[0])
        if schema is None or not isinstance(table.this, exp.Identifier):
            raise SqlError(f"Invalid object name '{table.sql('tsql')}'.")
        table.set("catalog", None)
        table.set("db", exp.to_identifier(schema))
    if isinstance(statement, exp.Query):
        _name_columns(statement)
    return statement


def _name_columns(query: exp.Expression) -> None:
    # The result's columns are named as the query spells them, or Column1, Column2 where it gives no name.
    while isinstance(query, exp.SetOperation):
        query = query.this
    for number, column in enumerate(query.expressions, 1):
        if not column.is_star and not column.alias:
            column.replace(exp.alias_(column.copy(), column.output_name or f"Column{number}", quoted=True))


def connect(database: Path | None) -> sqlite3.Connection:
    """An empty database in memory, `main`, with the sky beside it as `sky`, which cannot be written to."""
    connection = sqlite3.connect("file::memory:", uri=True, check_same_thread=False)
    connection.create_function("FLOOR", 1, lambda x: None if x is None else math.floor(x), deterministic=True)
    if database is not None:
        connection.execute("ATTACH ? AS sky", (f"{Path(database).resolve().as_uri()}?mode=ro",))
    return connection


def select_rows(connection: sqlite3.Connection, query: exp.Expression, most: int | None = None) -> Rows:
    try:
        cursor = connection.execute(query.sql(dialect="sqlite"))
        rows = cursor.fetchall() if most is None else cursor.fetchmany(most)
    except sqlite3.Error as error:
        raise SqlError(str(error)) from error
    return Rows([column[0] for column in cursor.description], rows)


def typed(result: Rows) -> list[list]:
    # For JSON: specObjID is a number to the archive, text in the sky since it goes beyond 63 bits.
    numbers = [name.lower() == "specobjid" for name in result.names]
    return [[int(x) if is_id and x else x for is_id, x in zip(numbers, row, strict=True)] for row in result.rows]
