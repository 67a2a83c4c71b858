"""A local archive: SkyServer, CasJobs, the login and the file server over loopback, out of a folder; it lies on request.

    python -m crossz.archive.serve results/sky --port 8917 --faults faults.json

serves `sky.sqlite` (SpecObjAll, PhotoObjAll), `sas/` and, if there is one, `spectra/` of that folder, and prints a line a
request. faults.json holds a list of objects with the fields of `Fault`. The login's user and password come from the
environment, CROSSZ_SERVE_USER and CROSSZ_SERVE_PASSWORD (default: user, password). Tests use `serve`.

Below the server's address lie

    /dr17/SkyServerWS/SearchTools/SqlSearch    SQL for everyone, GET or POST; /dr17/en/tools/search/x_results.aspx too
    /login-portal/keystone/v3/tokens           user and password -> token
    /CasJobs/RestApi                           jobs, quick queries and MyDB, for those who have a token
    /sas                                       files

x_results.aspx answers a cross-identification as well: the nearest primary object of each uploaded position. SQL is T-SQL translated
for SQLite. Not here: functions of the database (dbo.f...), and comparisons that ignore trailing blanks. specObjID is text, so it is compared as text.
"""

import argparse
import collections
import csv
import email
import email.utils
import io
import itertools
import json
import math
import os
import re
import secrets
import select
import signal
import socket
import socketserver
import sqlite3
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import sqlglot
from sqlglot import exp

FAULTS = {
    # Sent instead of the answer; the service does not see the request.
    "503": "the load balancer's page, status 503",
    "429": "status 429 with Retry-After: value (seconds, default 1)",
    "404": "status 404, HTML",
    "401": "status 401, JSON",
    "500json": "status 500 with the service's JSON error",
    "html200": "a maintenance page with status 200",
    "skyserver_error_html": "SkyServer's own error page with status 200",
    "error_message": "CSV with the one column error_message, status 200; value: the message",
    "refuse": "the connection is closed without an answer",
    # The answer, if its status is 200, with another body under a consistent Content-Length.
    "wrong_bytes": "zero bytes, as many as are right",
    "flip": "one bit flipped, in byte value (default: the middle)",
    "other_file": "another file of the archive: value (its path below /sas), else the first other one of its kind nearby",
    "trailing": "the right body and garbage behind it",
    "cut_row": "text cut in the middle of its last row",
    "etag_change": "the right body with another ETag each time",
    # The answer to a request for a range.
    "range_ignored": "the whole file with status 200",
    "range_other": "the range that begins 1000 bytes later, and says so",
    "range_lie": "the bytes of the range that begins value (default 1000) bytes later, under the headers of the right one",
    "range_short": "half of the range, and says so",
    "range_cut": "half of the range under its whole Content-Range and its own Content-Length",
    "range_html": "a maintenance page with status 206 and the right Content-Range",
    "range_flip": "one bit flipped in the middle of the range",
    "range_size": "another size of the whole file in Content-Range",
    # The same for CSV only.
    "drop_rows": "without its last value (default 1) rows",
    "short_row": "the last row lacks its last cell",
    "reorder": "the columns in reversed order, header and all",
    "rename_column": "the first column is named otherwise: value (default Column1)",
    "float_ids": "integers of 17 digits or more as floats: 1.23764872607149E+18",
    # The right answer, sent badly.
    "cut_length": "half of the body under the whole Content-Length, then the connection is closed",
    "cut_chunked": "half of the body as a chunk, then closed without the last chunk",
    "cut_no_length": "half of the body without any length, then closed, which is a legal end",
    "stall": "headers, at most 1000 bytes of the body, silence for value (default 3600) seconds, then closed",
    "slow": "a byte a second",
    "reset": "headers, at most 1000 bytes of the body, then a TCP reset",
    "delay": "the right answer after value (default 1) seconds",
}
"""Kinds of `Fault`: what is done to the answer. Where `value` is not named, it is not used."""

_TABLE_LINE = b"#Table1\n"
_PIECE = 1 << 16  # bytes handed to a connection at once
_SOME = 1000  # bytes sent before a connection goes silent or is reset
_STATUSES = {
    "BadRequest": 400, "Unauthorized": 401, "NotFound": 404, "InternalServerError": 500,
}  # fmt: skip
_READY, _STARTED, _CANCELING, _CANCELED, _FAILED, _FINISHED = range(6)  # states of a CasJobs job


class Fault(NamedTuple):
    """What is done to requests that `path` is found in, a regular expression.

    It is searched in "METHOD /path?query" as received, and in the decoded SQL of a query. `kind`: one of `FAULTS`;
    `times`: for how many requests, None: all.
    """

    path: str
    kind: str
    times: int | None = None
    value: object = None


@dataclass
class Hit:
    """One request, noted when it arrives, and what was sent.

    `status` is None while nothing has been sent. `complete`: every byte that the headers promise has been handed to the
    connection. Both and `bytes_sent` (of the body) are right as soon as the client has read the answer.
    """

    method: str
    path: str
    sql: str | None
    fault: str | None = None
    status: int | None = None
    bytes_sent: int = 0
    complete: bool = False
    time: float = field(default_factory=time.time)


class _Request(NamedTuple):
    method: str
    target: str  # path and query as received
    path: str  # decoded, without the query
    params: dict[str, str]  # of the query and of a form
    headers: object
    body: bytes

    def json(self) -> dict:
        try:
            content = json.loads(self.body)
        except ValueError:
            content = None
        return content if isinstance(content, dict) else {}

    @property
    def sql(self) -> str | None:
        if self.path.startswith("/CasJobs/"):
            return self.json().get("Query")
        return self.params.get("cmd") or self.params.get("uquery")


class _Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = "text/html"
    headers: dict[str, str] = {}  # noqa: RUF012 (never changed)
    root: Path | None = None  # where a file comes from,
    file: Path | None = None  # and the file


class _Rows(NamedTuple):
    names: list[str]
    rows: list[tuple]


class _SqlError(Exception):
    """What the database says of a query."""


# SQL


def _parse(text: str) -> list[exp.Expression]:
    try:
        return [statement for statement in sqlglot.parse(text, read="tsql") if statement is not None]
    except sqlglot.errors.SqlglotError as error:
        raise _SqlError(f"Incorrect syntax: {str(error).splitlines()[0]}") from error


def _one_statement(text: str, context: str) -> exp.Expression:
    """The one statement of `text`, its tables looked up in `context` ("DR17" or "MyDB") if they do not say where they are."""
    statements = _parse(text)
    if len(statements) != 1 or not isinstance(statements[0], exp.Query | exp.Drop):
        raise _SqlError("only one SELECT or DROP TABLE at a time")
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
            raise _SqlError(f"Invalid object name '{table.sql('tsql')}'.")
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


def _connect(database: Path | None) -> sqlite3.Connection:
    """An empty database in memory, `main`, with the sky beside it as `sky`, which cannot be written to."""
    connection = sqlite3.connect("file::memory:", uri=True, check_same_thread=False)
    connection.create_function("FLOOR", 1, lambda x: None if x is None else math.floor(x), deterministic=True)
    if database is not None:
        connection.execute("ATTACH ? AS sky", (f"{Path(database).resolve().as_uri()}?mode=ro",))
    return connection


def _select(connection: sqlite3.Connection, query: exp.Expression, most: int | None = None) -> _Rows:
    try:
        cursor = connection.execute(query.sql(dialect="sqlite"))
        rows = cursor.fetchall() if most is None else cursor.fetchmany(most)
    except sqlite3.Error as error:
        raise _SqlError(str(error)) from error
    return _Rows([column[0] for column in cursor.description], rows)


def _csv(rows: Sequence[Sequence]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")  # floats by repr
    writer.writerows([["null" if cell is None else cell for cell in row] for row in rows])
    return text.getvalue().encode()


def _typed(found: _Rows) -> list[list]:
    # For JSON: specObjID is a number to the archive, text in the sky since it goes beyond 63 bits.
    numbers = [name.lower() == "specobjid" for name in found.names]
    return [[int(x) if is_id and x else x for is_id, x in zip(numbers, row, strict=True)] for row in found.rows]


def _json(content: object, status: int = 200) -> _Answer:
    return _Answer(status, json.dumps(content).encode(), "application/json")


def _error(kind: str, message: str) -> _Answer:
    """An error in the services' own words."""
    content = {"ErrorCode": _STATUSES[kind], "ErrorType": kind, "ErrorMessage": message}
    return _json(content | {"LogMessageID": secrets.token_hex(8), "LogTime": _now()}, _STATUSES[kind])


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S")


def _identify(connection: sqlite3.Connection, params: dict[str, str]) -> None:
    """The tables of a cross-identification: #upload, its rows, and #x, the nearest primary object of each within `radius` arcmin."""
    lines = [line.split() for line in params.get("upload", "").splitlines()[1:] if line.strip()]
    if params.get("photoScope") != "nearPrim" or any(len(line) != 3 for line in lines):
        raise _SqlError("upload: a header, then lines of name ra dec; photoScope: nearPrim")
    rows = [(number, name, float(ra), float(dec)) for number, (name, ra, dec) in enumerate(lines, 1)]
    connection.execute("CREATE TABLE upload (up_id INTEGER, up_name TEXT, up_ra REAL, up_dec REAL)")
    connection.executemany("INSERT INTO upload VALUES (?, ?, ?, ?)", rows)
    connection.execute("CREATE TABLE x (up_id INTEGER, objID INTEGER)")
    radius = float(params["radius"]) / 60
    near = "SELECT objID, ra, dec FROM sky.PhotoObjAll WHERE mode = 1 AND dec BETWEEN ? AND ?"
    for number, _, ra, dec in rows:
        scale = math.cos(math.radians(dec))
        found = connection.execute(near, (dec - radius, dec + radius)).fetchall()
        away = [(((o_ra - ra + 180) % 360 - 180) * scale, o_dec - dec, objID) for objID, o_ra, o_dec in found]
        best = min(((math.hypot(dx, dy), objID) for dx, dy, objID in away), default=(math.inf, None))
        if best[0] <= radius:
            connection.execute("INSERT INTO x VALUES (?, ?)", (number, best[1]))


def _form(kind: str, body: bytes) -> dict[str, str]:
    """The fields of a multipart form."""
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    parts = message.get_payload() if message.is_multipart() else []
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True).decode() for part in parts
    }


# The four services


class _SkyServer:
    def __init__(self, database: Path | None, max_rows: int, queries_per_minute: int | None):
        self._database, self._max_rows, self._per_minute = database, max_rows, queries_per_minute
        self._times: collections.deque[float] = collections.deque()
        self._lock = threading.Lock()

    def answer(self, request: _Request) -> _Answer:
        text = request.sql
        if not text:
            return _error("BadRequest", "no cmd")
        try:
            found = self._rows(text, request.params if "uquery" in request.params else None)
        except _SqlError as error:
            return _error("InternalServerError", str(error))
        if request.params.get("format", "csv").lower() == "json":
            rows = [dict(zip(found.names, row, strict=True)) for row in _typed(found)]
            return _json([{"TableName": "Table1", "Rows": rows}])
        return _Answer(200, _TABLE_LINE + _csv([found.names, *found.rows]), "text/csv")

    def _rows(self, text: str, upload: dict[str, str] | None) -> _Rows:
        if not self._admit():
            words = f"ERROR: Maximum {self._per_minute} queries allowed per minute. Rejected query: {text}"
            return _Rows(["error_message"], [(words,)])
        selects = re.match(r"\s*((--.*\n|/\*[^*]*\*/)\s*)*(select|with)\b", text, re.I)
        statements = _parse(text) if selects else []
        if len(statements) != 1 or not isinstance(statements[0], exp.Query) or statements[0].find(exp.Into):
            return _Rows(["error_message"], [(f"error: must be a select statement: {text}",)])
        with closing(_connect(self._database)) as connection:
            if upload is not None:
                _identify(connection, upload)
            return _select(connection, _one_statement(text, "DR17"), self._max_rows)

    def _admit(self) -> bool:
        now = time.monotonic()
        with self._lock:
            while self._times and self._times[0] < now - 60:
                self._times.popleft()
            if self._per_minute is not None and len(self._times) >= self._per_minute:
                return False
            self._times.append(now)
            return True


@dataclass
class _Job:
    number: int
    context: str
    query: str
    task: str
    status: int = _READY
    message: str = ""
    rows: int = 0
    submitted: str = field(default_factory=_now)
    started: str | None = None
    ended: str | None = None
    canceled: threading.Event = field(default_factory=threading.Event)


class _CasJobs:
    """Jobs and the one user's MyDB. A job's table has half its rows from the job's start, all of them at its end."""

    def __init__(self, database: Path | None, job_seconds: float, tokens: set[str]):
        self._job_seconds, self._tokens = job_seconds, tokens
        self._mydb = _connect(database)
        self._mydb_lock = threading.Lock()
        self._dates: dict[str, str] = {}
        self._jobs: dict[int, _Job] = {}
        self._numbers = itertools.count(60_000_001)

    def close(self) -> None:
        for job in self._jobs.values():
            job.canceled.set()
        with self._mydb_lock:
            self._mydb.close()

    def answer(self, request: _Request) -> _Answer:
        if request.headers.get("X-Auth-Token") not in self._tokens:
            return _error("Unauthorized", "Token is missing, not valid or expired")
        route = f"{request.method} {request.path.removeprefix('/CasJobs/RestApi')}"
        if match := re.fullmatch(r"PUT /contexts/(DR17|MyDB)/jobs", route, re.I):
            return self._submit(match[1], request.json())
        if match := re.fullmatch(r"(GET|DELETE) /jobs/(\d+)", route):
            return self._cancel(int(match[2])) if match[1] == "DELETE" else self._describe(int(match[2]))
        if re.fullmatch(r"GET /contexts/MyDB/tables", route, re.I):
            return self._tables()
        if match := re.fullmatch(r"POST /contexts/(DR17|MyDB)/query", route, re.I):
            return self._quick(match[1], request.json(), request.headers.get("Accept", ""))
        return _error("NotFound", f"no such resource: {route}")

    def _submit(self, context: str, content: dict) -> _Answer:
        if not content.get("Query"):
            return _error("BadRequest", "no Query")
        job = _Job(next(self._numbers), context, content["Query"], content.get("TaskName", ""))
        self._jobs[job.number] = job
        threading.Thread(target=self._run, args=[job], daemon=True).start()
        return _Answer(200, str(job.number).encode(), "text/plain")

    def _describe(self, number: int) -> _Answer:
        if number not in self._jobs:
            return _error("NotFound", f"no job {number}")
        job = self._jobs[number]
        return _json({
            "JobID": job.number, "Status": job.status, "Message": job.message, "Rows": job.rows, "Query": job.query,
            "TaskName": job.task, "Target": job.context,
            "TimeSubmit": job.submitted, "TimeStart": job.started, "TimeEnd": job.ended,
        })  # fmt: skip

    def _cancel(self, number: int) -> _Answer:
        if number not in self._jobs:
            return _error("NotFound", f"no job {number}")
        job = self._jobs[number]
        if job.status in (_READY, _STARTED):
            job.status = _CANCELING
            job.canceled.set()
        return _Answer(200, b"", "text/plain")

    def _run(self, job: _Job) -> None:
        job.started, job.status = _now(), max(job.status, _STARTED)
        try:
            name, found = self._execute(job.query, job.context, "MyTable", halves=True)
            canceled = job.canceled.wait(self._job_seconds)
            if not canceled and name:
                self._insert(name, found.rows[len(found.rows) // 2 :])
                job.rows = len(found.rows)
            job.ended = _now()
            job.status = _CANCELED if canceled else _FINISHED
        except _SqlError as error:
            job.message, job.ended = str(error), _now()
            job.status = _FAILED

    def _execute(
        self, text: str, context: str, default: str | None = None, halves: bool = False
    ) -> tuple[str | None, _Rows]:
        """(MyDB's table that was made, rows) of one statement; `default`: the table of a SELECT without INTO, None: none.

        With `halves` the table gets the first half of the rows.
        """
        statement = _one_statement(text, context)
        if isinstance(statement, exp.Drop):
            with self._mydb_lock:
                self._change(statement.sql(dialect="sqlite"))
            return None, _Rows([], [])
        into = statement.find(exp.Into)
        name = into.this.name if into else default
        if into:
            into.pop()
        with self._mydb_lock:
            found = _select(self._mydb, statement)
            if name is None:
                return None, found
            self._create(name, statement, found.names)
        self._insert(name, found.rows[: len(found.rows) // 2] if halves else found.rows)
        return name, found

    def _create(self, name: str, query: exp.Expression, names: list[str]) -> None:
        table = exp.to_identifier(name, quoted=True).sql("sqlite")
        if self._mydb.execute("SELECT 1 FROM main.sqlite_master WHERE lower(name) = ?", [name.lower()]).fetchone():
            raise _SqlError(f"There is already an object named '{name}' in the database.")
        # SQLite tells the types of a query's columns only by making a table; it forgets how they compare.
        self._change(f"CREATE TABLE main.{table} AS SELECT * FROM ({query.sql(dialect='sqlite')}) LIMIT 0")
        types = [row[2] for row in self._mydb.execute(f"PRAGMA main.table_info({table})")]
        self._change(f"DROP TABLE main.{table}")
        quoted = [exp.to_identifier(column, quoted=True).sql("sqlite") for column in names]
        columns = ", ".join(f"{column} {kind} COLLATE NOCASE" for column, kind in zip(quoted, types, strict=True))
        self._change(f"CREATE TABLE main.{table} ({columns})")
        self._dates[name] = _now()

    def _change(self, sql: str) -> None:
        try:
            with self._mydb:
                self._mydb.execute(sql)
        except sqlite3.Error as error:
            raise _SqlError(str(error)) from error

    def _insert(self, name: str, rows: list[tuple]) -> None:
        if not rows:
            return
        table = exp.to_identifier(name, quoted=True).sql("sqlite")
        try:
            with self._mydb_lock, self._mydb:
                self._mydb.executemany(f"INSERT INTO main.{table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        except sqlite3.Error as error:
            raise _SqlError(str(error)) from error

    def _tables(self) -> _Answer:
        with self._mydb_lock:
            names = [name for (name,) in self._mydb.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
            rows = [self._mydb.execute(f'SELECT count(*) FROM main."{name}"').fetchone()[0] for name in names]
        return _json([
            {"Name": name, "Rows": count, "Size": count * 100 // 1024, "Date": self._dates[name]}
            for name, count in zip(names, rows, strict=True)
        ])  # fmt: skip

    def _quick(self, context: str, content: dict, accept: str) -> _Answer:
        try:
            name, found = self._execute(content.get("Query", ""), context)
        except _SqlError as error:
            return _error("InternalServerError", str(error))
        if name is not None or not found.names:
            found = _Rows(["Rows affected"], [(len(found.rows),)])
        result = {"TaskName": content.get("TaskName", "")}
        if "json+array" in accept:
            return _json({"Result": [result | {"Columns": found.names, "Data": _typed(found)}]})
        if "json" in accept:
            rows = [dict(zip(found.names, row, strict=True)) for row in _typed(found)]
            return _json({"Result": [result | {"Data": rows}]})
        return _Answer(200, _csv([found.names, *found.rows]), "text/plain")


class _Login:
    def __init__(self, user: str, password: str, tokens: set[str]):
        self._pair, self._tokens = (user, password), tokens

    def answer(self, request: _Request) -> _Answer:
        try:
            user = request.json()["auth"]["identity"]["password"]["user"]
            pair = (user["name"], user["password"])
        except (KeyError, TypeError):
            return _error("BadRequest", "no user and password")
        if pair != self._pair:
            # As careless as a service may be: a client that logs this logs the password.
            return _error("Unauthorized", f"Login failed: {request.body.decode('utf-8', 'replace')}")
        token = secrets.token_hex(16)
        self._tokens.add(token)
        answer = _json({"token": {"methods": ["password"], "user": {"name": user["name"]}}}, 201)
        return answer._replace(headers={"X-Subject-Token": token})


class _Sas:
    def __init__(self, roots: Sequence[Path]):
        self._roots = [Path(root).resolve() for root in roots]

    def answer(self, request: _Request) -> _Answer:
        name = request.path.removeprefix("/sas/").lstrip("/")
        for root in self._roots:
            path = (root / name.replace("\0", "")).resolve()
            if path.is_relative_to(root) and path.is_file():
                stat = path.stat()
                headers = {
                    "ETag": f'"{stat.st_size:x}-{stat.st_mtime_ns // 1000:x}"',
                    "Last-Modified": email.utils.formatdate(stat.st_mtime, usegmt=True),
                    "Accept-Ranges": "bytes",
                }
                return _Answer(200, path.read_bytes(), "application/octet-stream", headers, root, path)
        return _not_found()


def _not_found(_: object = None) -> _Answer:
    page = b"<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"
    return _Answer(404, page)


def _ranged(answer: _Answer, headers: object) -> _Answer:
    """The part of a file that a Range header asks for; several ranges at once are answered by the whole."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", "").strip())
    if answer.status != 200 or "Accept-Ranges" not in answer.headers or match is None or match[0] == "bytes=-":
        return answer
    if headers.get("If-Range", answer.headers["ETag"]) != answer.headers["ETag"]:
        return answer
    size = len(answer.body)
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
    else:
        first, last = max(size - int(match[2]), 0), size - 1
    if first > last:
        return _Answer(416, b"", headers={"Content-Range": f"bytes */{size}"})
    told = answer.headers | {"Content-Range": f"bytes {first}-{last}/{size}"}
    return answer._replace(status=206, body=answer.body[first : last + 1], headers=told)


# Lies


def _unavailable(_: object) -> _Answer:
    return _Answer(
        503,
        b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n",
    )


def _too_many(value: object) -> _Answer:
    return _Answer(429, b"Too Many Requests\n", "text/plain", {"Retry-After": str(1 if value is None else value)})


def _maintenance(_: object) -> _Answer:
    return _Answer(200, b"<html><body><h1>The site is down for maintenance</h1>Please come back later.</body></html>\n")


def _error_page(_: object) -> _Answer:
    page = (
        "<html><head>\n<title>Skyserver Error</title>\n</head><body bgcolor=white>\n"
        "<h2>An error occured</h2><H3 BGCOLOR=pink><font color=red><br></font></H3></BODY></HTML>\n"
    )
    return _Answer(200, page.encode())


def _error_message(value: object) -> _Answer:
    message = "error: the query was rejected" if value is None else value
    return _Answer(200, _TABLE_LINE + _csv([["error_message"], [message]]), "text/csv")


_INSTEAD: dict[str, Callable[[object], _Answer]] = {
    "503": _unavailable,
    "429": _too_many,
    "404": _not_found,
    "401": lambda _: _error("Unauthorized", "Token is missing, not valid or expired"),
    "500json": lambda _: _error("InternalServerError", "Transaction was deadlocked and has been chosen as the victim."),
    "html200": _maintenance,
    "skyserver_error_html": _error_page,
    "error_message": _error_message,
}


def _wrong_bytes(answer: _Answer, _: object) -> _Answer:
    return answer._replace(body=bytes(len(answer.body)))


def _flip(answer: _Answer, value: object) -> _Answer:
    body = bytearray(answer.body)
    body[len(body) // 2 if value is None else value] ^= 1
    return answer._replace(body=bytes(body))


def _other_file(answer: _Answer, value: object) -> _Answer:
    if answer.file is None:
        return answer
    if value is not None:
        return answer._replace(body=(answer.root / value).read_bytes())
    alike = f"*{answer.file.suffix}"
    near = itertools.chain(sorted(answer.file.parent.glob(alike)), sorted(answer.root.rglob(alike)))
    return answer._replace(body=next(path for path in near if path != answer.file).read_bytes())


def _trailing(answer: _Answer, _: object) -> _Answer:
    return answer._replace(body=answer.body + b"<!-- cached -->\n" * 8)


def _cut_row(answer: _Answer, _: object) -> _Answer:
    last = answer.body.rstrip(b"\n").rfind(b"\n") + 1
    return answer._replace(body=answer.body[: last + max((len(answer.body) - last) // 2, 1)])


def _etag_change(answer: _Answer, _: object) -> _Answer:
    return answer._replace(headers=answer.headers | {"ETag": f'"{secrets.token_hex(8)}"'})


def _on_csv(change: Callable[[list[list[str]], object], list[list[str]]]) -> Callable[[_Answer, object], _Answer]:
    # A lie told by changing the cells of a CSV body, header first; other bodies stay as they are.
    def lie(answer: _Answer, value: object) -> _Answer:
        if answer.kind not in ("text/csv", "text/plain"):
            return answer
        start = _TABLE_LINE if answer.body.startswith(_TABLE_LINE) else b""
        cells = list(csv.reader(io.StringIO(answer.body.removeprefix(start).decode(), newline="")))
        return answer._replace(body=start + _csv(change(cells, value)))

    return lie


def _float_cell(cell: str) -> str:
    return f"{int(cell):.14E}" if re.fullmatch(r"-?\d{17,}", cell) else cell


def _told(answer: _Answer) -> tuple[int, int, int]:
    return tuple(map(int, re.findall(r"\d+", answer.headers["Content-Range"])))


def _saying(answer: _Answer, first: int, last: int, size: int) -> _Answer:
    return answer._replace(headers=answer.headers | {"Content-Range": f"bytes {first}-{last}/{size}"})


def _range_other(answer: _Answer, whole: _Answer, value: object) -> _Answer:
    first, last, size = _told(answer)
    first, last = min(first + 1000, size - 1), min(last + 1000, size - 1)
    return _saying(answer, first, last, size)._replace(body=whole.body[first : last + 1])


def _range_lie(answer: _Answer, whole: _Answer, value: object) -> _Answer:
    first, last, size = _told(answer)
    by = 1000 if value is None else value
    if last + by >= size:
        by = -by
    return answer._replace(body=whole.body[max(first + by, 0) :][: last + 1 - first])


def _range_short(answer: _Answer, whole: _Answer, value: object) -> _Answer:
    first, last, size = _told(answer)
    half = (last + 1 - first) // 2
    return _saying(answer, first, first + max(half, 1) - 1, size)._replace(body=answer.body[: max(half, 1)])


def _range_size(answer: _Answer, whole: _Answer, value: object) -> _Answer:
    first, last, size = _told(answer)
    return _saying(answer, first, last, size + 1 + secrets.randbelow(1000))


_RANGED: dict[str, Callable[[_Answer, _Answer, object], _Answer]] = {
    "range_ignored": lambda answer, whole, _: whole,
    "range_other": _range_other,
    "range_lie": _range_lie,
    "range_short": _range_short,
    "range_cut": lambda answer, *_: answer._replace(body=answer.body[: len(answer.body) // 2]),
    "range_html": lambda answer, *_: answer._replace(body=_maintenance(None).body),
    "range_flip": lambda answer, *_: _flip(answer, None),
    "range_size": _range_size,
}
_ALTERED: dict[str, Callable[[_Answer, object], _Answer]] = {
    "wrong_bytes": _wrong_bytes,
    "flip": _flip,
    "other_file": _other_file,
    "trailing": _trailing,
    "cut_row": _cut_row,
    "etag_change": _etag_change,
    "drop_rows": _on_csv(lambda cells, value: cells[:1] + cells[1:][: -1 if value is None else -value]),
    "short_row": _on_csv(lambda cells, _: [*cells[:-1], cells[-1][:-1]]),
    "reorder": _on_csv(lambda cells, _: [row[::-1] for row in cells]),
    "rename_column": _on_csv(lambda cells, value: [["Column1" if value is None else value, *cells[0][1:]], *cells[1:]]),
    "float_ids": _on_csv(lambda cells, _: [[_float_cell(cell) for cell in row] for row in cells]),
}


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, has them answered, and sends the answers, well or badly."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def do_GET(self) -> None:
        request = self._request()
        self.hit = Hit(request.method, request.path, request.sql)
        self._place = "/" + request.path.split("/")[1]
        self._left = False
        self.server.enter(self.hit, self._place)
        try:
            self._respond(request)
        except OSError:  # the client has left
            self.hit.complete = False
            self.close_connection = True
        finally:
            self._leave()
            self.server.log(self.hit)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """What is worth telling is in the hits."""

    def _request(self) -> _Request:
        # The body is read in any case, or the next request on this connection would start within it.
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        params = parse_qs(parts.query)
        if self.headers.get_content_type() == "application/x-www-form-urlencoded":
            params |= parse_qs(body.decode("utf-8", "replace"))
        first = {name: values[0] for name, values in params.items()}
        if self.headers.get_content_type() == "multipart/form-data":
            first |= _form(self.headers["Content-Type"], body)
        return _Request(self.command, self.path, unquote(parts.path), first, self.headers, body)

    def _respond(self, request: _Request) -> None:
        fault = self.server.take_fault(request)
        kind, value = (fault.kind, fault.value) if fault else (None, None)
        self.hit.fault = kind
        if kind == "refuse" or (kind == "delay" and not self._silence(1 if value is None else value)):
            self.close_connection = True
            return
        answer = _INSTEAD[kind](value) if kind in _INSTEAD else self.server.answer(request)
        if kind in _ALTERED and answer.status == 200:
            answer = _ALTERED[kind](answer, value)
        whole = answer
        if self.command == "GET":
            answer = _ranged(answer, self.headers)
        if kind in _RANGED and answer.status == 206:
            answer = _RANGED[kind](answer, whole, value)
        if kind in _BROKEN:
            self.close_connection = True
            _BROKEN[kind](self, answer, value)
        else:
            self.send(answer)

    def send(self, answer: _Answer) -> None:
        """The answer as it should be sent."""
        body = b"" if self.command == "HEAD" else answer.body
        # What the client may look at when it has the last byte is set before that byte goes out.
        if not body:
            self._finish()
        self.send_head(answer, {"Content-Length": len(answer.body)})
        for start in range(0, len(body), _PIECE):
            if start + _PIECE >= len(body):
                self._finish()
            self.write(body[start : start + _PIECE])

    def send_head(self, answer: _Answer, more: dict[str, object]) -> None:
        """Status and headers."""
        self.hit.status = answer.status
        self.send_response(answer.status)
        for name, value in ({"Content-Type": answer.kind} | answer.headers | more).items():
            self.send_header(name, str(value))
        self.end_headers()

    def write(self, part: bytes) -> None:
        """A part of the body; nothing after a HEAD."""
        if self.command == "HEAD":
            return
        self.hit.bytes_sent += len(part)
        try:
            self.wfile.write(part)
        except OSError:
            self.hit.bytes_sent -= len(part)
            raise

    def cut_length(self, answer: _Answer, _: object) -> None:
        self.send_head(answer, {"Content-Length": len(answer.body), "Connection": "close"})
        self.write(answer.body[: len(answer.body) // 2])

    def cut_chunked(self, answer: _Answer, _: object) -> None:
        self.send_head(answer, {"Transfer-Encoding": "chunked", "Connection": "close"})
        half = answer.body[: len(answer.body) // 2]
        self.write(b"%x\r\n%b\r\n" % (len(half), half))

    def cut_no_length(self, answer: _Answer, _: object) -> None:
        self.send_head(answer, {"Connection": "close"})
        self.write(answer.body[: len(answer.body) // 2])

    def stall(self, answer: _Answer, value: object) -> None:
        self._send_some(answer)
        self._silence(3600 if value is None else value)

    def slow(self, answer: _Answer, _: object) -> None:
        self.send_head(answer, {"Content-Length": len(answer.body), "Connection": "close"})
        for at in range(len(answer.body)):
            self.write(answer.body[at : at + 1])
            if not self._silence(1):
                return
        self._finish()

    def reset(self, answer: _Answer, _: object) -> None:
        self._send_some(answer)
        self._leave()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())  # an ordinary close would say goodbye first

    def _send_some(self, answer: _Answer) -> None:
        self.send_head(answer, {"Content-Length": len(answer.body), "Connection": "close"})
        self.write(answer.body[: min(_SOME, len(answer.body) // 2)])

    def _silence(self, seconds: float) -> bool:
        """Send nothing for so long; False as soon as the client has gone or the server stops."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.server.stopping.wait(min(left, 0.05)):
                return False
            if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                return False
        return True

    def _finish(self) -> None:
        self.hit.complete = True
        self._leave()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self.server.leave(self._place)


_BROKEN: dict[str, Callable[[_Handler, _Answer, object], None]] = {
    "cut_length": _Handler.cut_length,
    "cut_chunked": _Handler.cut_chunked,
    "cut_no_length": _Handler.cut_no_length,
    "stall": _Handler.stall,
    "slow": _Handler.slow,
    "reset": _Handler.reset,
}


def _check_kind(fault: Fault) -> None:
    if fault.kind not in FAULTS:
        raise ValueError(f"no kind of fault: {fault.kind}; there are {', '.join(FAULTS)}")


class Server(socketserver.ThreadingTCPServer):
    """The running archive; made by `serve`.

    `url`: its address. `hits`: every request so far, in order. `faults`: change this list at will; the first that matches a
    request and has `times` left is taken, and its `times` goes down by one. `peak`: greatest number of requests under way at
    once, by the first part of their path ("/sas").
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port: int, services: dict[str, object], faults: Sequence[Fault]):
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.hits: list[Hit] = []
        self.faults = list(faults)
        self.peak: dict[str, int] = {}
        self.log: Callable[[Hit], None] = lambda hit: None
        self.stopping = threading.Event()
        self._services = services
        self._active: collections.Counter[str] = collections.Counter()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def answer(self, request: _Request) -> _Answer:
        """What the service that the path belongs to says."""
        for pattern, service in self._services.items():
            if re.match(pattern, request.path):
                return service.answer(request)
        return _not_found()

    def take_fault(self, request: _Request) -> Fault | None:
        """The fault that befalls this request. Raises ValueError when its kind is unknown."""
        with self._lock:
            for at, fault in enumerate(self.faults):
                texts = (f"{request.method} {request.target}", request.sql or "")
                if fault.times == 0 or not any(re.search(fault.path, text) for text in texts):
                    continue
                _check_kind(fault)
                if fault.times is not None:
                    with suppress(IndexError):  # the list may have been emptied at this very moment
                        self.faults[at] = fault._replace(times=fault.times - 1)
                return fault
        return None

    def enter(self, hit: Hit, place: str) -> None:
        """A request has come in."""
        with self._lock:
            self.hits.append(hit)
            self._active[place] += 1
            self.peak[place] = max(self.peak.get(place, 0), self._active[place])

    def leave(self, place: str) -> None:
        """It has been answered."""
        with self._lock:
            self._active[place] -= 1

    def process_request(self, request: socket.socket, client_address: object) -> None:
        """A connection has come in."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        """It is over."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: socket.socket, client_address: object) -> None:
        """A client that leaves is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """End all connections, whatever they are at."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # it may have ended by itself
                    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serve(
    database: Path | None,
    sas: Sequence[Path],
    *,
    port: int = 0,
    faults: Sequence[Fault] = (),
    token_user: str = "user",
    token_password: str = "password",
    job_seconds: float = 0.0,
    max_rows: int = 500_000,
    queries_per_minute: int | None = None,
) -> Iterator[Server]:
    """Serve the SQLite file `database` and the files of the folders `sas` (the first that has one) while the context lasts.

    `port` 0: any free one. `job_seconds`: how long a CasJobs job takes after its table has half its rows. SkyServer cuts an
    answer at `max_rows` without a word, and rejects more than `queries_per_minute`. Raises OSError when the port is taken, ValueError when a fault's kind is unknown.
    """
    for fault in faults:
        _check_kind(fault)
    tokens: set[str] = set()
    casjobs = _CasJobs(database, job_seconds, tokens)
    skyserver = _SkyServer(database, max_rows, queries_per_minute)
    services = {
        r"/dr17/SkyServerWS/SearchTools/SqlSearch$": skyserver,
        r"(?i)/dr17/en/tools/search/x_results\.aspx$": skyserver,
        r"/login-portal/keystone/v3/tokens$": _Login(token_user, token_password, tokens),
        r"/CasJobs/RestApi/": casjobs,
        r"/sas/": _Sas(sas),
    }
    with closing(casjobs), Server(port, services, faults) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        try:
            yield server
        finally:
            server.stop()


def _tell(hit: Hit) -> None:
    sent = "" if hit.complete else " incomplete"
    lie = f" [{hit.fault}]" if hit.fault else ""
    print(f"{hit.method} {hit.path} {hit.status or '-'} {hit.bytes_sent} bytes{sent}{lie}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m crossz.archive.serve", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds sky.sqlite, sas/ and perhaps spectra/")
    parser.add_argument("--port", type=int, default=8917)
    parser.add_argument("--faults", type=Path, help="JSON list of objects: path, kind, times, value")
    arguments = parser.parse_args()
    database = arguments.folder / "sky.sqlite"
    if not arguments.folder.is_dir():
        parser.error(f"{arguments.folder}: no such folder")
    entries = json.loads(arguments.faults.read_text()) if arguments.faults else []
    login = {
        "token_user": os.environ.get("CROSSZ_SERVE_USER", "user"),
        "token_password": os.environ.get("CROSSZ_SERVE_PASSWORD", "password"),
    }
    roots = [arguments.folder / "sas", arguments.folder / "spectra"]
    faults = [Fault(**entry) for entry in entries]
    with serve(database if database.exists() else None, roots, port=arguments.port, faults=faults, **login) as server:
        server.log = _tell
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a script starts in the background
        print(server.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
