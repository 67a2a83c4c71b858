"""SkyServer: one SELECT for everyone, as CSV, JSON or FITS, and the cross-identification of uploaded positions."""

import collections
import re
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from sqlglot import exp

from .database import Rows, SqlError, connect, nearby, parse, select_rows, statement_of, typed
from .exchange import Answer, Request, error_answer, fits_answer, json_answer, skyserver_csv

LARGEST_RADIUS = 3.0  # arcmin
LONGEST_QUERY = 2048  # characters of a query string that IIS takes


class SkyServer:
    """Queries on `database`: at most `max_rows` rows an answer, `queries_per_minute` queries a minute (None: any number)."""

    def __init__(self, database: Path | None, max_rows: int, queries_per_minute: int | None):
        self._database, self._max_rows, self._per_minute = database, max_rows, queries_per_minute
        self._times: collections.deque[float] = collections.deque()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """The rows of the query, or an error.

        The web service reads the address alone; the page x_results.aspx reads a form first.
        """
        if len(request.target.partition("?")[2]) > LONGEST_QUERY:
            return Answer(404, b"<html><head><title>404.15 - Query String Too Long</title></head></html>\n")
        page = request.path.lower().endswith(".aspx")
        params = request.query | request.form if page else request.query
        upload = request.form.get("upload")
        if not page and request.path.lower().endswith("crossidsearch"):
            params = params | request.form | {"searchtool": "CrossID"}
        crossid = params.get("searchtool", "SQL").lower() == "crossid"
        text = params.get("uquery" if crossid else "cmd")
        if not text or (crossid and not upload):
            return error_answer("BadRequest", "uquery and upload are wanted" if crossid else "cmd is wanted")
        try:
            result = self._rows(text, params if crossid else None, upload)
        except SqlError as error:
            return error_answer("InternalServerError", str(error))
        return _written(result, params.get("format", "csv").lower())

    def _rows(self, text: str, params: dict[str, str] | None, upload: str | None) -> Rows:
        if not self._admit():
            words = f"ERROR: Maximum {self._per_minute} queries allowed per minute. Rejected query: {text}"
            return Rows(["error_message"], [(words,)])
        selects = re.match(r"\s*((--.*\n|/\*[^*]*\*/)\s*)*(select|with)\b", text, re.I)
        with closing(connect(self._database)) as connection:
            if params is not None and upload is not None and selects:
                text = _identify(connection, text, params, upload)
            statements = parse(text) if selects else []
            if len(statements) != 1 or not isinstance(statements[0], exp.Query) or statements[0].find(exp.Into):
                return Rows(["error_message"], [(f"error: must be a select statement: {text}",)])
            return select_rows(connection, statement_of(text, "DR17"), self._max_rows)

    def _admit(self) -> bool:
        now = time.monotonic()
        with self._lock:
            while self._times and self._times[0] < now - 60:
                self._times.popleft()
            if self._per_minute is not None and len(self._times) >= self._per_minute:
                return False
            self._times.append(now)
            return True


def _written(result: Rows, kind: str) -> Answer:
    if kind == "json":
        rows = [dict(zip(result.names, row, strict=True)) for row in typed(result)]
        return json_answer([{"TableName": "Table1", "Rows": rows}])
    if kind == "fits":
        return fits_answer(result.names, result.rows)
    return Answer(200, skyserver_csv([result.names, *result.rows]), "text/csv")


def _identify(connection: sqlite3.Connection, text: str, params: dict[str, str], upload: str) -> str:
    """The rewritten query of a cross-identification, after its tables have been made.

    #upload has up_id and, for each column of the upload, up_{column}; #x has up_id and the objID of the nearest primary object
    (nearPrim) or of every object (allObj) within `radius` arcmin. A target without one is in #upload alone.
    """
    radius, first = float(params.get("radius", "nan")), int(params.get("firstcol", "0"))
    if not 0 < radius <= LARGEST_RADIUS:
        raise SqlError(f"radius {radius} arcmin: above 0, at most {LARGEST_RADIUS:g}")
    header, *lines = [
        re.split(r"[,\s]+", line.strip().lstrip("#").strip()) for line in upload.splitlines() if line.strip()
    ]
    names = [name.lower() for name in header]
    if any(len(line) != len(names) for line in lines) or not {"ra", "dec"} <= set(names):
        raise SqlError("upload: a header, then lines with as many cells; ra and dec are wanted")
    columns = ", ".join(f"up_{name} {'REAL' if name in ('ra', 'dec') else 'TEXT'}" for name in names)
    connection.execute(f"CREATE TABLE upload (up_id INTEGER, {columns})")
    marks = ", ".join("?" * (len(names) + 1))
    connection.executemany(f"INSERT INTO upload VALUES ({marks})", [(k, *line) for k, line in enumerate(lines, 1)])
    connection.execute("CREATE TABLE x (up_id INTEGER, objID INTEGER)")
    nearest = params.get("photoScope", "nearPrim") == "nearPrim"
    for number, ra, dec in connection.execute("SELECT up_id, up_ra, up_dec FROM upload").fetchall():
        found = nearby(connection, ra, dec, radius, primary=nearest)
        found = found[:1] if nearest else found
        connection.executemany("INSERT INTO x VALUES (?, ?)", [(number, objID) for _, objID in found])
    given = "".join(f"u.up_{name} as [{name}]," for name in names[:first])
    if not re.search(r"p\.objid\s*,", text, re.I):
        text = re.sub(r"(?i)\bselect\b", "SELECT x.objID,", text)
    return re.sub(r"(?i)\bselect\b", lambda match: f"{match[0]} {given}", text) if given else text
