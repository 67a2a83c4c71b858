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
    _local_functions(statement)
    common = {expression.alias.lower() for expression in statement.find_all(exp.CTE)}
    for table in statement.find_all(exp.Table):
        if table.db == "temp":  # of a function
            continue
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


def _local_functions(statement: exp.Expression) -> None:
    # dbo.f(...) as a function of SQLite, and as a table that `select_rows` makes before the query.
    for dot in list(statement.find_all(exp.Dot)):
        if isinstance(dot.expression, exp.Anonymous) and dot.this.name.lower() == "dbo":
            dot.replace(dot.expression)
    for table in statement.find_all(exp.Table):
        function = str(table.this.this).lower() if isinstance(table.this, exp.Anonymous) else ""
        if table.db.lower() == "dbo" and function in TABLE_FUNCTIONS:
            values = [
                value if isinstance(value := literal.to_py(), str) else float(value)
                for literal in table.this.expressions
            ]
            name = f"{function}({', '.join(map(str, values))})"
            table.replace(
                exp.Table(
                    this=exp.to_identifier(name, quoted=True),
                    alias=table.args.get("alias"),
                    db=exp.to_identifier("temp"),
                )
            )
            statement.meta.setdefault("functions", []).append((name, function, values))


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
    connection.create_function("fPhotoTypeN", 1, lambda kind: _TYPES.get(kind, "UNKNOWN"), deterministic=True)
    connection.create_function(
        "fGetNearestObjIdEq", 3, lambda *place: next((objID for _, objID in nearby(connection, *place)), None)
    )
    connection.create_function("FLOOR", 1, lambda x: None if x is None else math.floor(x), deterministic=True)
    if database is not None:
        connection.execute("ATTACH ? AS sky", (f"{Path(database).resolve().as_uri()}?mode=ro",))
    return connection


_TYPES = {0: "UNKNOWN", 3: "GALAXY", 6: "STAR"}


def nearby(
    connection: sqlite3.Connection, ra: float, dec: float, radius: float, primary: bool = True
) -> list[tuple[float, int]]:
    """(distance in arcmin, objID) of the objects within `radius` arcmin, the nearest first."""
    near = f"SELECT objID, ra, dec FROM sky.PhotoObjAll WHERE dec BETWEEN ? AND ? {'AND mode = 1' if primary else ''}"
    scale = math.cos(math.radians(dec))
    rows = connection.execute(near, (dec - radius / 60, dec + radius / 60)).fetchall()
    found = [
        (60 * math.hypot(((o_ra - ra + 180) % 360 - 180) * scale, o_dec - dec), objID) for objID, o_ra, o_dec in rows
    ]
    return sorted(pair for pair in found if pair[0] <= radius)


def _doc_columns(connection: sqlite3.Connection, table: str) -> tuple[list[str], list[tuple]]:
    columns = connection.execute(
        f"PRAGMA sky.table_info({exp.to_identifier(table, quoted=True).sql('sqlite')})"
    ).fetchall()
    return ["enum", "name", "type", "length", "unit", "ucd", "description", "rank"], [
        ("", name, kind.lower(), "8", "", "", "", str(rank)) for rank, name, kind, *_ in columns
    ]


def _nearby_objects(connection: sqlite3.Connection, *place: float) -> tuple[list[str], list[tuple]]:
    names = ["objID", "run", "camcol", "field", "rerun", "type", "distance"]
    select = "SELECT objID, run, camcol, field, rerun, type FROM sky.PhotoObjAll WHERE objID = ?"
    return names, [
        (*connection.execute(select, (objID,)).fetchone(), distance)
        for distance, objID in nearby(connection, *place, primary=False)
    ]


TABLE_FUNCTIONS = {"fdoccolumns": _doc_columns, "fgetnearbyobjeq": _nearby_objects}
"""Functions of the database whose result is a table, by their lower-case name."""


def select_rows(connection: sqlite3.Connection, query: exp.Expression, most: int | None = None) -> Rows:
    try:
        for table, function, values in query.meta.get("functions", ()):
            names, rows = TABLE_FUNCTIONS[function](connection, *values)
            connection.execute(
                f"CREATE TEMP TABLE IF NOT EXISTS {exp.to_identifier(table, quoted=True).sql('sqlite')} ({', '.join(names)})"
            )
            connection.executemany(
                f"INSERT INTO temp.{exp.to_identifier(table, quoted=True).sql('sqlite')} VALUES ({', '.join('?' * len(names))})",
                rows,
            )
        cursor = connection.execute(query.sql(dialect="sqlite"))
        rows = cursor.fetchall() if most is None else cursor.fetchmany(most)
    except sqlite3.Error as error:
        raise SqlError(str(error)) from error
    return Rows([column[0] for column in cursor.description], rows)


def typed(result: Rows) -> list[list]:
    # For JSON: specObjID is a number to the archive, text in the sky since it goes beyond 63 bits.
    numbers = [name.lower() == "specobjid" for name in result.names]
    return [[int(x) if is_id and x else x for is_id, x in zip(numbers, row, strict=True)] for row in result.rows]
