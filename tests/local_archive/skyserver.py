"""SkyServer: one SELECT for everyone, as CSV or JSON, and the cross-identification of uploaded positions."""

import collections
import math
import re
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from sqlglot import exp

from .database import Rows, SqlError, connect, parse, select_rows, statement_of, typed
from .exchange import TABLE_LINE, Answer, Request, csv_body, error_answer, json_answer


class SkyServer:
    """Queries on `database`: at most `max_rows` rows an answer, `queries_per_minute` queries a minute (None: any number)."""

    def __init__(self, database: Path | None, max_rows: int, queries_per_minute: int | None):
        self._database, self._max_rows, self._per_minute = database, max_rows, queries_per_minute
        self._times: collections.deque[float] = collections.deque()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """The rows of the query, or an error."""
        text = request.sql
        if not text:
            return error_answer("BadRequest", "no cmd")
        try:
            result = self._rows(text, request.params if "uquery" in request.params else None)
        except SqlError as error:
            return error_answer("InternalServerError", str(error))
        if request.params.get("format", "csv").lower() == "json":
            rows = [dict(zip(result.names, row, strict=True)) for row in typed(result)]
            return json_answer([{"TableName": "Table1", "Rows": rows}])
        return Answer(200, TABLE_LINE + csv_body([result.names, *result.rows]), "text/csv")

    def _rows(self, text: str, upload: dict[str, str] | None) -> Rows:
        if not self._admit():
            words = f"ERROR: Maximum {self._per_minute} queries allowed per minute. Rejected query: {text}"
            return Rows(["error_message"], [(words,)])
        selects = re.match(r"\s*((--.*\n|/\*[^*]*\*/)\s*)*(select|with)\b", text, re.I)
        statements = parse(text) if selects else []
        if len(statements) != 1 or not isinstance(statements[0], exp.Query) or statements[0].find(exp.Into):
            return Rows(["error_message"], [(f"error: must be a select statement: {text}",)])
        with closing(connect(self._database)) as connection:
            if upload is not None:
                _identify(connection, upload)
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


def _identify(connection: sqlite3.Connection, params: dict[str, str]) -> None:
    """The tables of a cross-identification: #upload, its rows, and #x, the nearest primary object of each within `radius` arcmin."""
    lines = [line.split() for line in params.get("upload", "").splitlines()[1:] if line.strip()]
    if params.get("photoScope") != "nearPrim" or any(len(line) != 3 for line in lines):
        raise SqlError("upload: a header, then lines of name ra dec; photoScope: nearPrim")
    rows = [(number, name, float(ra), float(dec)) for number, (name, ra, dec) in enumerate(lines, 1)]
    connection.execute("CREATE TABLE upload (up_id INTEGER, up_name TEXT, up_ra REAL, up_dec REAL)")
    connection.executemany("INSERT INTO upload VALUES (?, ?, ?, ?)", rows)
    connection.execute("CREATE TABLE x (up_id INTEGER, objID INTEGER)")
    radius = float(params["radius"]) / 60
    near = "SELECT objID, ra, dec FROM sky.PhotoObjAll WHERE mode = 1 AND dec BETWEEN ? AND ?"
    for number, _, ra, dec in rows:
        scale = math.cos(math.radians(dec))
        candidates = connection.execute(near, (dec - radius, dec + radius)).fetchall()
        away = [(((o_ra - ra + 180) % 360 - 180) * scale, o_dec - dec, objID) for objID, o_ra, o_dec in candidates]
        best = min(((math.hypot(dx, dy), objID) for dx, dy, objID in away), default=(math.inf, None))
        if best[0] <= radius:
            connection.execute("INSERT INTO x VALUES (?, ?)", (number, best[1]))
