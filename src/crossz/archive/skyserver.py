"""SkyServer's SQL service: anonymous, at most 60 queries a minute, and cut without a word at 500,000 rows.

Requests have the form that astroquery sends, the field's own client: astroquery builds the parameters of a query, and a
test compares those of a cross-identification with its. Our client carries them, and our checks judge the answers: astroquery
accepts a cut CSV as complete and cannot limit a slow body (docs/dr17.md).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import pyarrow as pa

from crossz.archive import reply
from crossz.archive.http import Client, service_client
from crossz.archive.query import Source
from crossz.archive.responses import PAGE, Reply, most_of
from crossz.archive.sql import Query
from crossz.core.errors import CrosszError

T = TypeVar("T")
REMEDY = "Rerun later (finished slices are kept), or try catalog.backend: casjobs"
LONGEST = 2048
"""Characters of an encoded query string that the web server takes (IIS, maxQueryString)."""
_lock = threading.Lock()
_next = 0.0


class SkyServer:
    """The service at the addresses of `archive`, the block of the configuration.

    Parameters
    ----------
    client
        Sends the requests.
    archive
        Read: skyserver (base address), query_s (patience for an answer, seconds), query_interval_s (least time between two
        queries, seconds).
    """

    name = "skyserver"

    def __init__(self, client: Client, archive: dict[str, Any]):
        self._client, self._archive = client, archive
        self.address: str = archive["skyserver"]

    def ask(self, sql: str, columns: tuple[str, ...], rows: int | None, what: str, make: Callable[[pa.Table], T]) -> T:
        """`make` of the answer to `sql`, a table of text columns that `reply.table` has checked.

        Raises CrosszError before anything is sent where the encoded query is longer than the web server takes.
        """
        form = query_form(sql)
        if (length := len(urlencode(form))) > LONGEST:
            raise CrosszError(
                f"{what}: the encoded query has {length:,} characters, SkyServer takes {LONGEST:,}; select fewer columns "
                "(photometry.columns, the query's SELECT), or set catalog.backend: casjobs"
            )
        return self._send(
            "en/tools/search/x_results.aspx",
            what,
            lambda answer: make(reply.table(answer.body, columns, rows)),
            "GET",
            most=most_of(rows),
            params=form,
        )

    def identify(self, form: dict[str, Any], upload: str, what: str, accept: Callable[[Reply], T]) -> T:
        """`accept` of the answer to a cross-identification of the positions in `upload`."""
        files = {"upload": ("crossz", upload)}
        page = "en/tools/search/X_Results.aspx"
        return self._send(page, what, accept, "POST", most=PAGE, data=form, files=files)

    def open(self, query: Query, folder: Path, what: str) -> Source:
        """The rows of `query`, counted."""
        count = f"SELECT COUNT_BIG(*) AS n FROM ({query.text}) AS q"
        return Source(self.ask, query.text, self.ask(count, ("n",), 1, f"{what}: counting rows", reply.number))

    def _send(self, page: str, what: str, accept: Callable[[Reply], T], method: str, **options: Any) -> T:
        _wait_for_turn(self._archive["query_interval_s"])
        return self._client.fetch(
            [f"{self.address.rstrip('/')}/{page}"],
            what,
            accept,
            REMEDY,
            method=method,
            first_byte_s=self._archive["query_s"],
            **options,
        )


def query_form(sql: str) -> dict[str, str]:
    """The parameters of a query as astroquery sends them; nothing is sent here."""
    from astroquery.sdss import SDSS  # a second

    form: dict[str, str] = SDSS.query_sql_async(sql, get_query_payload=True)
    return form


@contextmanager
def connected(archive: dict[str, Any]) -> Iterator[SkyServer]:
    """The service with a client of its own. Raises CrosszError where its address is wrong."""
    with service_client("skyserver", archive) as client:
        yield SkyServer(client, archive)


def _wait_for_turn(interval_s: float) -> None:
    """Wait until `interval_s` has passed since the turn before: SkyServer counts the queries of all its pages together."""
    global _next
    with _lock:
        now = time.monotonic()
        turn = max(now, _next)
        _next = turn + interval_s
    time.sleep(turn - now)
