"""A local archive: SkyServer, CasJobs, the SciServer login and the SAS over loopback, honest or lying as it is told.

    python -m crossz.archive.serve results/sky --port 8917 [--faults faults.json]

serves the sky in `results/sky` (sky.sqlite, sas/, spectra/); CROSSZ_SERVE_USER and CROSSZ_SERVE_PASSWORD hold the login (user,
password). A run of config/loopback.yaml against it takes the real survey's path, and the tests prove there that no lie gets through.
"""

import argparse
import csv
import http.server
import io
import json
import os
import re
import socket
import sqlite3
import struct
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import sqlglot
from sqlglot import exp

_MAINTENANCE = b"<html><body><h1>Sorry</h1>The server is down for maintenance.</body></html>"
_SKYSERVER_ERROR = b"<html><head>\n<title>Skyserver Error</title>\n</head><body bgcolor=white>\n<h2>An error occured</h2></body></html>"
_FINISHED, _STARTED, _CANCELED, _FAILED = 5, 1, 3, 4

FAULTS = {
    "503": "503 Service Unavailable",
    "429": "429 with Retry-After: value (1) seconds",
    "404": "404",
    "401": "401",
    "500json": "500 with a JSON error",
    "html200": "an HTML page with status 200",
    "skyserver_error_html": "SkyServer's own HTML error page with status 200",
    "error_message": "a CSV with the column error_message, status 200",
    "cut_length": "half of the promised length, then the connection ends",
    "cut_chunked": "half of the body in chunks, the last chunk never comes",
    "cut_no_length": "half of the body, without any length",
    "wrong_bytes": "zeros of the right length",
    "flip": "one bit flipped in the middle",
    "other_file": "another file of the same folder, or value",
    "trailing": "more bytes behind the body",
    "stall": "some bytes, then silence",
    "slow": "a byte a second",
    "reset": "some bytes, then a TCP reset",
    "refuse": "the connection ends without an answer",
    "delay": "the right answer after value seconds",
    "cut_row": "a CSV cut within its last row",
    "drop_rows": "a CSV without its last value (1) rows",
    "reorder": "a CSV with its columns turned around, header and all",
    "rename_column": "a CSV with its first column named otherwise",
    "short_row": "a CSV whose last row lacks a cell",
    "float_ids": "a CSV whose 64-bit ids are floats",
}
"""What a fault of each kind does instead of the right answer."""


class Fault(NamedTuple):
    """A lie: `kind` of FAULTS, for requests in which the regular expression `path` is found, the first `times` of them.

    Searched is "METHOD /path?query" and, for SQL, the text of the query.
    """

    path: str
    kind: str
    times: int | None = None
    value: float | str | None = None


class Hit(NamedTuple):
    """One request and what it got; complete: whether every byte of the answer was sent."""

    method: str
    path: str
    sql: str | None
    status: int
    sent: int
    complete: bool
    time: float


class Answer(NamedTuple):
    """What an honest server sends."""

    status: int
    body: bytes
    kind: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()
    file: Path | None = None


class Archive(http.server.ThreadingHTTPServer):
    """The server and its state; made by `serve`."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, database, sas, port, login, job_seconds, max_rows, queries_per_minute):
        self.hits: list[Hit] = []
        self.faults: list[Fault] = []
        self.used: dict[int, int] = {}
        self.sas = [Path(root).resolve() for root in sas]
        self.login, self.job_seconds, self.max_rows = login, job_seconds, max_rows
        self.queries_per_minute = queries_per_minute
        self.asked: list[float] = []
        self.tokens: set[str] = set()
        self.jobs: dict[int, dict] = {}
        self.lock = threading.RLock()
        self.stop = threading.Event()
        self.database = sqlite3.connect("file::memory:", uri=True, check_same_thread=False)
        self.database.create_function("floor", 1, lambda x: None if x is None else x // 1, deterministic=True)
        if database:
            self.database.execute("ATTACH DATABASE ? AS sky", (f"file:{Path(database).resolve()}?mode=ro",))
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Base address."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fault(self, request: str) -> Fault | None:
        """The first fault for `request` that has times left, counted."""
        with self.lock:
            for fault in list(self.faults):
                if re.search(fault.path, request) and (
                    fault.times is None or self.used.get(id(fault), 0) < fault.times
                ):
                    self.used[id(fault)] = self.used.get(id(fault), 0) + 1
                    return fault
        return None

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no event."""


@contextmanager
def serve(
    database: Path | None,
    sas: Sequence[Path],
    *,
    port: int = 0,
    token_user: str = "user",
    token_password: str = "password",
    job_seconds: float = 0.0,
    max_rows: int = 500_000,
    queries_per_minute: int | None = None,
) -> Iterator[Archive]:
    """Run a local archive of the tables in `database` (SQLite) and of the files below the `sas` roots, on loopback."""
    login = (token_user, token_password)
    server = Archive(database, sas, port, login, job_seconds, max_rows, queries_per_minute)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
        with server.lock:
            server.database.close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Archive

    def log_message(self, *args: object) -> None:
        pass

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        path = unquote(urlsplit(self.path).path)
        sql = _sql_of(self.path, content)
        self.status, self.sent, complete = 0, 0, False
        fault = self.server.fault(f"{self.command} {self.path} {sql or ''}")
        try:
            if fault and fault.kind == "delay":
                self.server.stop.wait(float(fault.value))
                fault = None
            if fault and fault.kind == "refuse":
                self.close_connection = True
                return
            answer = self._status_fault(fault) or self._route(path, sql, content)
            complete = self._answer(answer, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            hit = Hit(self.command, path, sql, self.status, self.sent, complete, time.time())
            with self.server.lock:
                self.server.hits.append(hit)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle

    def _status_fault(self, fault: Fault | None) -> Answer | None:
        error = json.dumps({"ErrorCode": 500, "ErrorType": "InternalServerError", "ErrorMessage": "a fault"}).encode()
        answers = {
            "503": Answer(503, b"<html><body><h1>503 Service Unavailable</h1></body></html>", "text/html"),
            "429": Answer(429, b"slowly", headers=(("Retry-After", str((fault and fault.value) or 1)),)),
            "404": Answer(404, b"<html>Not Found</html>", "text/html"),
            "401": Answer(401, b"{}", "application/json"),
            "500json": Answer(500, error, "application/json"),
            "html200": Answer(200, _MAINTENANCE, "text/html"),
            "skyserver_error_html": Answer(200, _SKYSERVER_ERROR, "text/html"),
            "error_message": Answer(200, b"#Table1\nerror_message\nerror: must be a select statement: <cmd>\n"),
        }
        return answers.get(fault.kind) if fault else None

    def _answer(self, answer: Answer, fault: Fault | None) -> bool:
        """Send the answer, or what the fault makes of it; whether an honest, whole answer went out."""
        body, kind, value = answer.body, fault.kind if fault else None, fault.value if fault else None
        if kind in _CSV_FAULTS:
            body = _CSV_FAULTS[kind](body, value)
        elif kind == "wrong_bytes":
            body = bytes(len(body))
        elif kind == "flip":
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 4]) + body[middle + 1 :]
        elif kind == "trailing":
            body += b"more" * 100
        elif kind == "other_file":
            body = _other(answer.file, value)
        self.status = answer.status
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        for name, text in answer.headers:
            self.send_header(name, text)
        if kind == "cut_chunked":
            self.send_header("Transfer-Encoding", "chunked")
        elif kind == "cut_no_length":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return True
        half = body[: len(body) // 2]
        if kind in ("cut_length", "cut_no_length"):
            self._write(half)
        elif kind == "cut_chunked":
            self._write(b"%x\r\n%s\r\n" % (len(half), half))
        elif kind == "stall":
            self._write(half[:1000])
            self.server.stop.wait(3600)
        elif kind == "slow":
            for number in range(len(body)):
                self._write(body[number : number + 1])
                if self.server.stop.wait(1):
                    break
        elif kind == "reset":
            self._write(half[:1000])
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self._write(body)
            return kind is None
        self.close_connection = True
        return False

    def _write(self, part: bytes) -> None:
        self.wfile.write(part)
        self.wfile.flush()
        self.sent += len(part)

    def _route(self, path: str, sql: str | None, content: bytes) -> Answer:
        if path.startswith("/sas/"):
            return self._file(path.removeprefix("/sas/"))
        if path.endswith(("/SearchTools/SqlSearch", "/tools/search/x_results.aspx", "/tools/search/X_Results.aspx")):
            return self._skyserver(sql or "")
        if path == "/login-portal/keystone/v3/tokens":
            return self._token(content)
        if path.startswith("/CasJobs/RestApi/"):
            if self.headers.get("X-Auth-Token") not in self.server.tokens:
                return Answer(401, b'{"ErrorMessage": "token expired"}', "application/json")
            return self._casjobs(path.removeprefix("/CasJobs/RestApi/"), content)
        return Answer(404, b"<html>Not Found</html>", "text/html")

    def _file(self, name: str) -> Answer:
        for root in self.server.sas:
            path = (root / name).resolve()
            if path.is_relative_to(root) and path.is_file():
                break
        else:
            return Answer(404, b"<html><title>404 Not Found</title></html>", "text/html")
        body = path.read_bytes()
        headers = (("ETag", f'"{len(body):x}-{path.stat().st_mtime_ns:x}"'), ("Accept-Ranges", "bytes"))
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not wanted:
            return Answer(200, body, "application/octet-stream", headers, path)
        first, last = int(wanted[1]), min(int(wanted[2] or len(body) - 1), len(body) - 1)
        if first > last:
            return Answer(416, b"", headers=(("Content-Range", f"bytes */{len(body)}"),))
        headers += (("Content-Range", f"bytes {first}-{last}/{len(body)}"),)
        return Answer(206, body[first : last + 1], "application/octet-stream", headers, path)

    def _skyserver(self, sql: str) -> Answer:
        server, now = self.server, time.monotonic()
        with server.lock:
            server.asked = [then for then in server.asked if then > now - 60] + [now]
            limit = server.queries_per_minute
            if limit is not None and len(server.asked) > limit:
                words = f"ERROR: Maximum {limit} queries allowed per minute. Rejected query: {sql}"
                return Answer(200, f'#Table1\nerror_message\n"{words}"\n'.encode(), "text/plain")
        statements = _parsed(sql)
        if len(statements) != 1 or not isinstance(statements[0], exp.Select) or statements[0].args.get("into"):
            return Answer(200, f"#Table1\nerror_message\nerror: must be a select statement: {sql}\n".encode())
        try:
            names, rows = self._run(statements[0])
        except sqlite3.Error as error:
            return _error(str(error))
        return Answer(200, b"#Table1\n" + _csv(names, rows[: server.max_rows]))

    def _run(self, select: exp.Expression) -> tuple[list[str], list[tuple]]:
        with self.server.lock:
            cursor = self.server.database.execute(_sqlite(select))
            return [column[0] for column in cursor.description], cursor.fetchall()

    def _token(self, content: bytes) -> Answer:
        try:
            user = json.loads(content)["auth"]["identity"]["password"]["user"]
            given = (user["name"], user["password"])
        except (ValueError, KeyError, TypeError):
            given = None
        if given != self.server.login:  # with the careless echo of a service that logs too much
            return Answer(
                401, json.dumps({"error": f"cannot authenticate: {content.decode()}"}).encode(), "application/json"
            )
        token = uuid.uuid4().hex
        self.server.tokens.add(token)
        return Answer(201, b"{}", "application/json", (("X-Subject-Token", token),))

    def _casjobs(self, path: str, content: bytes) -> Answer:
        server, query = self.server, _json(content).get("Query", "")
        if path == "contexts/MyDB/Tables" and self.command == "GET":
            with server.lock:
                names = server.database.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
            return Answer(
                200, json.dumps([{"Name": name, "Rows": -1} for (name,) in names]).encode(), "application/json"
            )
        if re.fullmatch(r"contexts/\w+/jobs", path) and self.command == "PUT":
            return self._submit(query)
        if (number := re.fullmatch(r"jobs/(\d+)", path)) and (job := server.jobs.get(int(number[1]))):
            if self.command == "DELETE":
                job["cancel"].set()
            told = {key: value for key, value in job.items() if key != "cancel"}
            return Answer(200, json.dumps(told).encode(), "application/json")
        if re.fullmatch(r"contexts/\w+/query", path) and self.command == "POST":
            return self._quick(query)
        return Answer(404, b"{}", "application/json")

    def _submit(self, query: str) -> Answer:
        server = self.server
        with server.lock:
            number = len(server.jobs) + 1
            job = {"JobID": number, "Query": query, "Status": _STARTED, "Message": "", "cancel": threading.Event()}
            server.jobs[number] = job
        statements = _parsed(query)
        into = (
            statements[0].args.get("into") if len(statements) == 1 and isinstance(statements[0], exp.Select) else None
        )
        if into is None:
            job |= {"Status": _FAILED, "Message": "Query must have an INTO"}
            return Answer(200, str(number).encode())
        table = into.this.name
        statements[0].set("into", None)
        threading.Thread(target=self._work, args=(job, table, _sqlite(statements[0])), daemon=True).start()
        return Answer(200, str(number).encode())

    def _work(self, job: dict, table: str, select: str) -> None:
        """Fill a MyDB table as CasJobs does: it is there, and short, from the start."""
        server = self.server
        try:
            with server.lock:
                server.database.execute(f'CREATE TABLE main."{table}" AS SELECT * FROM ({select}) LIMIT 1')
            if job["cancel"].wait(server.job_seconds) or server.stop.is_set():
                job["Status"] = _CANCELED
                return
            with server.lock:
                server.database.execute(f'INSERT INTO main."{table}" SELECT * FROM ({select}) LIMIT -1 OFFSET 1')
            job["Status"] = _FINISHED
        except sqlite3.Error as error:
            job |= {"Status": _FAILED, "Message": str(error)}

    def _quick(self, query: str) -> Answer:
        statements = _parsed(query)
        if len(statements) != 1 or not isinstance(statements[0], exp.Select | exp.Drop):
            return _error("one SELECT or DROP")
        try:
            if isinstance(statements[0], exp.Drop):
                with self.server.lock:
                    self.server.database.execute(f'DROP TABLE main."{statements[0].this.name}"')
                return Answer(200, b"")
            return Answer(200, _csv(*self._run(statements[0])))
        except sqlite3.Error as error:
            return _error(str(error))


def _sql_of(address: str, content: bytes) -> str | None:
    """The query in a request: cmd of SkyServer, Query of CasJobs."""
    fields = parse_qs(urlsplit(address).query)
    if content[:1] == b"{":
        return _json(content).get("Query")
    fields |= parse_qs(content.decode("utf-8", "replace"))
    return fields["cmd"][0] if "cmd" in fields else None


def _json(content: bytes) -> dict:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _parsed(sql: str) -> list[exp.Expression]:
    try:
        return [statement for statement in sqlglot.parse(sql, read="tsql") if statement is not None]
    except sqlglot.errors.ParseError:
        return []


def _sqlite(select: exp.Expression) -> str:
    for table in select.find_all(exp.Table):
        table.set("db", None)
        table.set("catalog", None)
    for count in select.find_all(exp.Count):
        count.set("big_int", False)
    return select.sql(dialect="sqlite")


def _csv(names: Sequence[str], rows: Sequence[tuple]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([["null" if cell is None else cell for cell in row] for row in rows])
    return text.getvalue().encode()


def _error(message: str) -> Answer:
    told = {"ErrorCode": 400, "ErrorType": "BadRequest", "ErrorMessage": message, "LogMessageID": "0", "LogTime": ""}
    return Answer(400, json.dumps(told).encode(), "application/json")


def _other(path: Path | None, value: object) -> bytes:
    if value is not None:
        return Path(str(value)).read_bytes()
    others = (
        [other for other in sorted(path.parent.iterdir()) if other.suffix == path.suffix and other != path]
        if path
        else []
    )
    return others[0].read_bytes() if others else b""


def _on_rows(change):
    """A fault of a CSV's cells: `change` gets header and rows (lists of cells) and the fault's value."""

    def apply(body: bytes, value: object) -> bytes:
        comment, text = (b"#Table1\n", body[8:]) if body.startswith(b"#Table1\n") else (b"", body)
        rows = list(csv.reader(io.StringIO(text.decode())))
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(change(rows, value))
        return comment + out.getvalue().encode()

    return apply


_CSV_FAULTS = {
    "cut_row": lambda body, value: body[:-4],
    "drop_rows": _on_rows(lambda rows, value: rows[: -int(value or 1)]),
    "reorder": _on_rows(lambda rows, value: [row[::-1] for row in rows]),
    "rename_column": _on_rows(lambda rows, value: [[f"{rows[0][0]}_x", *rows[0][1:]], *rows[1:]]),
    "short_row": _on_rows(lambda rows, value: [*rows[:-1], rows[-1][:-1]]),
    "float_ids": _on_rows(
        lambda rows, value: [[f"{float(c):.14E}" if re.fullmatch(r"\d{18,20}", c) else c for c in row] for row in rows]
    ),
}


def main() -> None:
    """Serve the sky of a folder until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with sky.sqlite, sas/ and, if there, spectra/")
    parser.add_argument("--port", type=int, default=8917)
    parser.add_argument("--faults", type=Path, help='JSON list of faults: [{"path": "...", "kind": "503", "times": 1}]')
    options = parser.parse_args()
    database = options.folder / "sky.sqlite"
    if not database.is_file():
        parser.error(
            f"{database}: no such file; run the embedded survey first: snakemake --cores 8 results/metrics.csv"
        )
    login = {name: os.environ.get(f"CROSSZ_SERVE_{name.upper()}", name) for name in ("user", "password")}
    roots = [options.folder / "sas", options.folder / "spectra"]
    with serve(
        database, roots, port=options.port, token_user=login["user"], token_password=login["password"]
    ) as server:
        if options.faults:
            server.faults += [Fault(**fault) for fault in json.loads(options.faults.read_text())]
        print(f"{server.url} serves {options.folder}; Ctrl-C ends it", flush=True)
        told = 0
        while not server.stop.wait(0.2):
            for hit in server.hits[told:]:
                print(
                    f"{hit.status} {hit.method} {hit.path} {hit.sent} bytes{'' if hit.complete else ', not whole'}",
                    flush=True,
                )
                told += 1


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("ended")
