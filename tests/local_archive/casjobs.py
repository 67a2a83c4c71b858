"""CasJobs: jobs, quick queries and the tables of MyDB, for those who have a token."""

import itertools
import re
import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path

from sqlglot import exp

from .database import Rows, SqlError, connect, select_rows, statement_of, typed
from .exchange import Answer, Request, csv_body, error_answer, fits_answer, json_answer, now

_READY, _STARTED, _CANCELING, _CANCELED, _FAILED, _FINISHED = range(6)  # states of a CasJobs job


@dataclass
class _Job:
    number: int
    context: str
    query: str
    task: str
    status: int = _READY
    message: str = ""
    rows: int = 0
    submitted: str = field(default_factory=now)
    started: str | None = None
    ended: str | None = None
    canceled: threading.Event = field(default_factory=threading.Event)


class CasJobs:
    """Jobs, and the MyDB of the only user. A job's table has half its rows from the job's start, all of them at its end."""

    def __init__(self, database: Path | None, job_seconds: float, tokens: set[str]):
        self._job_seconds, self._tokens = job_seconds, tokens
        self._mydb = connect(database)
        self._mydb_lock = threading.Lock()
        self._dates: dict[str, str] = {}
        self._jobs: dict[int, _Job] = {}
        self._numbers = itertools.count(60_000_001)

    def close(self) -> None:
        """End all jobs and forget MyDB."""
        for job in self._jobs.values():
            job.canceled.set()
        with self._mydb_lock:
            self._mydb.close()

    def answer(self, request: Request) -> Answer:
        """The answer of the REST interface."""
        if request.headers.get("X-Auth-Token") not in self._tokens:
            return error_answer("Unauthorized", "Token is missing, not valid or expired")
        route = f"{request.method} {request.path[len('/CasJobs/RestApi') :]}"
        if match := re.fullmatch(r"PUT /contexts/(DR17|MyDB)/jobs", route, re.I):
            return self._submit(match[1], request.json())
        if match := re.fullmatch(r"(GET|DELETE) /jobs/(\d+)", route, re.I):
            return self._cancel(int(match[2])) if match[1] == "DELETE" else self._describe(int(match[2]))
        if re.fullmatch(r"GET /contexts/MyDB/tables", route, re.I):
            return self._tables()
        if match := re.fullmatch(r"POST /contexts/(DR17|MyDB)/query", route, re.I):
            return self._quick(match[1], request.json(), request.headers.get("Accept", ""))
        return error_answer("NotFound", f"no such resource: {route}")

    def _submit(self, context: str, content: dict) -> Answer:
        if not content.get("Query"):
            return error_answer("BadRequest", "no Query")
        job = _Job(next(self._numbers), context, content["Query"], content.get("TaskName", ""))
        self._jobs[job.number] = job
        threading.Thread(target=self._run, args=[job], daemon=True).start()
        return Answer(200, str(job.number).encode(), "text/plain")

    def _describe(self, number: int) -> Answer:
        if number not in self._jobs:
            return error_answer("NotFound", f"no job {number}")
        job = self._jobs[number]
        return json_answer({
            "JobID": job.number, "Status": job.status, "Message": job.message, "Rows": job.rows, "Query": job.query,
            "TaskName": job.task, "Target": job.context,
            "TimeSubmit": job.submitted, "TimeStart": job.started, "TimeEnd": job.ended,
        })  # fmt: skip

    def _cancel(self, number: int) -> Answer:
        if number not in self._jobs:
            return error_answer("NotFound", f"no job {number}")
        job = self._jobs[number]
        if job.status in (_READY, _STARTED):
            job.status = _CANCELING
            job.canceled.set()
        return Answer(200, b"", "text/plain")

    def _run(self, job: _Job) -> None:
        job.started, job.status = now(), max(job.status, _STARTED)
        try:
            name, result = self._execute(job.query, job.context, "MyTable", halves=True)
            canceled = job.canceled.wait(self._job_seconds)
            if not canceled and name:
                self._insert(name, result.rows[len(result.rows) // 2 :])
                job.rows = len(result.rows)
            job.ended = now()
            job.status = _CANCELED if canceled else _FINISHED
        except SqlError as error:
            job.message, job.ended = str(error), now()
            job.status = _FAILED

    def _execute(
        self, text: str, context: str, default: str | None = None, halves: bool = False
    ) -> tuple[str | None, Rows]:
        """(MyDB's table that was made, rows) of one statement; `default`: the table of a SELECT without INTO, None: none.

        With `halves` the table gets the first half of the rows.
        """
        statement = statement_of(text, context)
        if isinstance(statement, exp.Drop):
            with self._mydb_lock:
                self._change(statement.sql(dialect="sqlite"))
            return None, Rows([], [])
        into = statement.find(exp.Into)
        name = into.this.name if into else default
        if into:
            into.pop()
        with self._mydb_lock:
            result = select_rows(self._mydb, statement)
            if name is None:
                return None, result
            self._create(name, statement, result.names)
        self._insert(name, result.rows[: len(result.rows) // 2] if halves else result.rows)
        return name, result

    def _create(self, name: str, query: exp.Expression, names: list[str]) -> None:
        table = exp.to_identifier(name, quoted=True).sql("sqlite")
        if self._mydb.execute("SELECT 1 FROM main.sqlite_master WHERE lower(name) = ?", [name.lower()]).fetchone():
            raise SqlError(f"There is already an object named '{name}' in the database.")
        # SQLite tells the types of a query's columns only by making a table; it forgets how they compare.
        self._change(f"CREATE TABLE main.{table} AS SELECT * FROM ({query.sql(dialect='sqlite')}) LIMIT 0")
        types = [row[2] for row in self._mydb.execute(f"PRAGMA main.table_info({table})")]
        self._change(f"DROP TABLE main.{table}")
        quoted = [exp.to_identifier(column, quoted=True).sql("sqlite") for column in names]
        columns = ", ".join(f"{column} {kind} COLLATE NOCASE" for column, kind in zip(quoted, types, strict=True))
        self._change(f"CREATE TABLE main.{table} ({columns})")
        self._dates[name] = now()

    def _change(self, sql: str) -> None:
        try:
            with self._mydb:
                self._mydb.execute(sql)
        except sqlite3.Error as error:
            raise SqlError(str(error)) from error

    def _insert(self, name: str, rows: list[tuple]) -> None:
        if not rows:
            return
        table = exp.to_identifier(name, quoted=True).sql("sqlite")
        try:
            with self._mydb_lock, self._mydb:
                self._mydb.executemany(f"INSERT INTO main.{table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
        except sqlite3.Error as error:
            raise SqlError(str(error)) from error

    def _tables(self) -> Answer:
        with self._mydb_lock:
            names = [name for (name,) in self._mydb.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
            rows = [self._mydb.execute(f'SELECT count(*) FROM main."{name}"').fetchone()[0] for name in names]
        return json_answer([
            {"Name": name, "Rows": count, "Size": count * 100 // 1024, "Date": self._dates[name]}
            for name, count in zip(names, rows, strict=True)
        ])  # fmt: skip

    def _quick(self, context: str, content: dict, accept: str) -> Answer:
        try:
            name, result = self._execute(content.get("Query", ""), context)
        except SqlError as error:
            return error_answer("InternalServerError", str(error))
        if name is not None or not result.names:
            result = Rows(["Rows affected"], [(len(result.rows),)])
        envelope = {"TaskName": content.get("TaskName", "")}
        if "json+array" in accept:
            return json_answer({"Result": [envelope | {"Columns": result.names, "Data": typed(result)}]})
        if "json" in accept:
            rows = [dict(zip(result.names, row, strict=True)) for row in typed(result)]
            return json_answer({"Result": [envelope | {"Data": rows}]})
        if "fits" in accept:
            return fits_answer(result.names, result.rows)
        return Answer(200, csv_body([result.names, *result.rows]), "text/plain")
