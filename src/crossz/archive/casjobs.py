"""CasJobs: the query runs on the server into a table of the user's MyDB, which is then read slice by slice.

A table counts as finished when it has as many rows as the query was counted to have. After a restart nothing else says so
for sure. So a run that was killed attaches to its job, or reuses the table that the job left, and asks for no work twice.
"""

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from crossz.archive import credentials, reply
from crossz.archive.http import Client, Damaged, Unanswered, service_client
from crossz.archive.query import Source
from crossz.archive.responses import PAGE, Denied, Missing, Reply, most_of
from crossz.archive.sql import Query
from crossz.core.errors import CrosszError, Refused
from crossz.core.files import read_json, write_json
from crossz.core.text import printable

log = logging.getLogger(__name__)

T = TypeVar("T")
REMEDY = "Rerun later: the job on the server goes on, and finished slices are kept"
_STATUS = {0: "ready", 1: "started", 2: "canceling", 3: "canceled", 4: "failed", 5: "finished"}
_LONGEST_POLL = 12  # times poll_s
_STRANGE_POLLS = 10  # how often a table that no known job fills is looked at before it is made anew (ten minutes)
_DIGITS = 20  # of a job's number, at most
_SUBMITTING = "submitting"  # remembered in place of a job's number until the service has given it


class CasJobs:
    """The service at the addresses of `archive`, the block of the configuration."""

    name = "casjobs"

    def __init__(self, client: Client, archive: dict[str, Any]):
        self._client, self._archive = client, archive
        self.address: str = archive["casjobs"]

    def open(self, query: Query, folder: Path, what: str) -> Source:
        """Have the rows of `query` in a table of MyDB; `folder` keeps which jobs are under way."""
        session = Session(self._client, self._archive)
        table, rows = prepare(query, session, folder / "jobs.json", what)
        return Source(session.mydb, f"SELECT * FROM {table}", rows)


@contextmanager
def connected(archive: dict[str, Any]) -> Iterator[CasJobs]:
    """The service with a client of its own. Raises CrosszError where its address is wrong."""
    with service_client("casjobs", archive) as client:
        yield CasJobs(client, archive)


class Session:
    """Calls of the REST interface with the user's token, renewed when it has expired and a password is at hand.

    Parameters
    ----------
    client
        Sends the requests.
    archive
        The block of the configuration. Read: casjobs and login (addresses), context, query_s, poll_s.
    """

    def __init__(self, client: Client, archive: dict[str, Any]):
        self.archive = archive
        self._client = client
        self._login = credentials.load()
        self._token = self._login.token

    def call(
        self, method: str, path: str, what: str, accept: Callable[[Reply], T], *, content: dict[str, Any] | None = None,
        kind: str = "application/json", once: bool = False, most: int = PAGE,
    ) -> T:  # fmt: skip
        """`accept` of the answer to one call, of at most `most` bytes; `content` goes as JSON, `kind` is the Accept header."""

        def attempt() -> T:
            return self._client.fetch(
                [f"{self.archive['casjobs'].rstrip('/')}/{path}"],
                what,
                accept,
                REMEDY,
                method=method,
                first_byte_s=self.archive["query_s"],
                once=once,
                most=most,
                json=content,
                headers={"X-Auth-Token": self._token or self.login(), "Accept": kind},
            )

        try:
            try:
                return attempt()
            except Denied:
                if not self._login.password:
                    raise
                self.login()
                return attempt()
        except Denied as denied:
            raise CrosszError(
                f"{what}: CasJobs does not accept the SciServer token ({denied}); it may have expired: {credentials.HELP}"
            ) from None

    def login(self) -> str:
        """Fetch a new token and keep it. Nothing of the request or the answer goes into an error: it holds the password."""
        user = {"name": self._login.user, "password": self._login.password}
        try:
            token = self._client.fetch(
                [self.archive["login"]],
                "SciServer login",
                _token,
                "Check that the login service is up",
                method="POST",
                secret=True,
                most=PAGE,
                json={"auth": {"identity": {"password": {"user": user}}}},
                headers={"Accept": "application/json"},
            )
        except Denied:
            raise CrosszError(
                f"SciServer refuses user {self._login.user} or its password; {credentials.HELP}"
            ) from None
        self._token = token
        return token

    def quick(
        self, context: str, sql: str, columns: tuple[str, ...], rows: int | None, what: str, make: Callable[[pa.Table], T]
    ) -> T:  # fmt: skip
        """`make` of the rows of a quick query (at most a minute on the server): text columns, checked by `reply.table`."""
        return self.call(
            "POST",
            f"contexts/{context}/query",
            what,
            lambda answer: make(reply.table(answer.body, columns, rows)),
            content={"Query": sql, "TaskName": "crossz"},
            kind="text/plain",
            most=most_of(rows),
        )

    def mydb(self, sql: str, columns: tuple[str, ...], rows: int | None, what: str, make: Callable[[pa.Table], T]) -> T:
        """`quick` in MyDB."""
        return self.quick("MyDB", sql, columns, rows, what, make)

    def tables(self) -> set[str]:
        """Names of the tables in MyDB, in lower case."""
        return self.call("GET", "contexts/MyDB/Tables", "tables of MyDB", lambda answer: _names(_json(answer)))

    def drop(self, table: str) -> None:
        """Remove `table` from MyDB."""
        self.call(
            "POST", "contexts/MyDB/query", f"dropping {table}", lambda _: None,
            content={"Query": f"DROP TABLE {table}", "TaskName": "crossz"}, kind="text/plain",
        )  # fmt: skip


def _token(answer: Reply) -> str:
    token: str | None = answer.headers.get("X-Subject-Token")
    if not token:
        raise Refused("no X-Subject-Token in the answer")
    return token


def _json(answer: Reply) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise Refused("an answer that is not JSON") from error


def _names(content: Any) -> set[str]:
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise Refused("not a list of tables")
    names = [row.get("Name") for row in content]
    if not all(isinstance(name, str) for name in names):
        raise Refused("not a list of tables with names")
    return {name.lower() for name in names}


def prepare(query: Query, session: Session, state_path: Path, what: str) -> tuple[str, int]:
    """Have MyDB hold all rows of `query`. The job is canceled when this process is interrupted.

    Parameters
    ----------
    query
        What is asked.
    session
        Of the user.
    state_path
        A JSON file that remembers the jobs under way.
    what
        Named in messages.

    Returns
    -------
    tuple
        The table's name and its number of rows.

    Raises
    ------
    errors.CrosszError
        A job fails or is canceled.
    """
    table = f"crossz_{query.digest}"
    count = f"SELECT COUNT_BIG(*) AS n INTO mydb.{table}_n FROM ({query.text}) AS q"
    _ensure(session, state_path, f"{table}_n", count, 1, f"{what}: counting")
    rows = session.mydb(f"SELECT n FROM {table}_n", ("n",), 1, f"{what}: reading the count", reply.number)
    columns = ", ".join(f"q.{name}" for name in query.columns)
    select = f"SELECT {columns} INTO mydb.{table} FROM ({query.text}) AS q"
    _ensure(session, state_path, table, select, rows, f"{what}: selecting {rows:,} rows")
    return table, rows


def _ensure(session: Session, state_path: Path, table: str, select: str, rows: int, what: str) -> None:
    """See that MyDB holds `table` with `rows` rows: from a finished job, one under way, or a new job `select`."""
    for _ in range(3):
        job = _remembered(state_path, table)
        if job is None and table not in session.tables():
            _remember(state_path, table, _SUBMITTING)
            job = _submit(session, table, select, what)
            _remember(state_path, table, job)
        status, message = None, ""
        if job is not None and job != _SUBMITTING:
            status, message = _wait(session, job, state_path, table, what)
        if _filled(session, table, rows, patient=status is None):
            return
        _remember(state_path, table, None)
        if status in ("failed", "canceled"):
            raise CrosszError(f"{what}: CasJobs job {job} {status}: {printable(message)}. Correct the query, or rerun")
        if table in session.tables():
            log.info(f"{what}: MyDB's table {table} does not have all its rows; it is dropped and selected again")
            session.drop(table)
    raise CrosszError(f"{what}: MyDB's table {table} does not reach {rows:,} rows; look at it in CasJobs. {REMEDY}")


def _remembered(state_path: Path, table: str) -> str | None:
    jobs: dict[str, str] = read_json(state_path) if state_path.exists() else {}
    return jobs.get(table)


def _remember(state_path: Path, table: str, job: str | None) -> None:
    jobs = read_json(state_path) if state_path.exists() else {}
    write_json(state_path, {name: known for name, known in (jobs | {table: job}).items() if known})


def _submit(session: Session, table: str, select: str, what: str) -> str:
    """Submit a batch job and return its number; _SUBMITTING when the answer was lost, and perhaps not the job."""
    context = session.archive["context"]
    content = {"Query": select, "TaskName": f"crossz {table}"}
    try:
        job = session.call("PUT", f"contexts/{context}/jobs", f"{what}: submitting", _job, content=content, once=True)
    except (Unanswered, Damaged) as error:
        log.info(f"{error}")
        return _SUBMITTING
    log.info(f"{what}: CasJobs job {job}")
    return job


def _job(answer: Reply) -> str:
    number: str = answer.body.decode("ascii", "replace").strip().strip('"')
    if not (number.isascii() and number.isdecimal() and len(number) <= _DIGITS):
        raise Refused(f"no job number but {number[:100]!r}")
    return number


def _wait(session: Session, job: str, state_path: Path, table: str, what: str) -> tuple[str | None, str]:
    """Poll until the job is over; its final status (None: the server does not know it) and its message."""
    start, factor = time.monotonic(), 1.0
    with _interruptible():
        try:
            while True:
                try:
                    description = session.call("GET", f"jobs/{job}", f"{what}: job {job}", _description)
                except Missing:
                    return None, "unknown"
                status = _STATUS[description["Status"]]
                if status not in ("ready", "started", "canceling"):
                    return status, str(description.get("Message"))
                log.info(f"{what}: job {job} {status} since {time.monotonic() - start:.0f} s")
                time.sleep(session.archive["poll_s"] * factor)
                factor = min(factor * 1.5, _LONGEST_POLL)
        except KeyboardInterrupt:
            log.info(f"{what}: interrupted; canceling CasJobs job {job}")
            _remember(state_path, table, None)
            session.call("DELETE", f"jobs/{job}", f"canceling job {job}", lambda _: None, once=True)
            raise


def _description(answer: Reply) -> dict[str, Any]:
    content = _json(answer)
    status = content.get("Status") if isinstance(content, dict) else None
    if type(status) is not int or status not in _STATUS:  # true is 1, a job that works
        raise Refused("not a job's description")
    return content


def _filled(session: Session, table: str, rows: int, patient: bool) -> bool:
    """Whether `table` has `rows` rows; with `patient`, a job that we do not know of may yet make or fill it."""
    for number in range(_STRANGE_POLLS if patient else 1):
        if number:
            time.sleep(session.archive["poll_s"] * 1.5**number)
        if table in session.tables() and _count(session, table) == rows:
            return True
    return False


def _count(session: Session, table: str) -> int:
    return session.mydb(f"SELECT COUNT_BIG(*) AS n FROM {table}", ("n",), 1, f"counting {table}", reply.number)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM, which ends a job of a cluster, counts as Ctrl-C here, so that the server's job can be canceled."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
