"""SkyServer's SQL service: anonymous, at most 60 queries a minute, and cut without a word at 500,000 rows.

astroquery speaks to it too. But it accepts a cut CSV as complete, cannot limit a slow body and does not read bestObjID as
an integer (docs/dr17.md). So the requests are our own.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from crossz.archive import reply
from crossz.archive.http import Client, service_client
from crossz.archive.query import Source
from crossz.archive.responses import Reply
from crossz.archive.sql import Query

T = TypeVar("T")
REMEDY = "Rerun later (finished slices are kept), or try catalog.backend: casjobs"
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
        """`make` of the answer to `sql`, a table of text columns that `reply.table` has checked."""
        return self._post(
            "SkyServerWS/SearchTools/SqlSearch",
            what,
            lambda answer: make(reply.table(answer.body, columns, rows)),
            data={"cmd": sql, "format": "csv"},
        )

    def identify(self, form: dict[str, Any], upload: str, what: str, accept: Callable[[Reply], T]) -> T:
        """`accept` of the answer to a cross-identification of the positions in `upload`."""
        files = {"upload": ("targets", upload)}
        return self._post("en/tools/search/X_Results.aspx", what, accept, data=form, files=files)

    def open(self, query: Query, folder: Path, what: str) -> Source:
        """The rows of `query`, counted."""
        count = f"SELECT COUNT_BIG(*) AS n FROM ({query.text}) AS q"
        return Source(self.ask, query.text, self.ask(count, ("n",), 1, f"{what}: counting rows", reply.number))

    def _post(self, path: str, what: str, accept: Callable[[Reply], T], **options: Any) -> T:
        _wait_for_turn(self._archive["query_interval_s"])
        return self._client.fetch(
            [f"{self.address.rstrip('/')}/{path}"],
            what,
            accept,
            REMEDY,
            method="POST",
            first_byte_s=self._archive["query_s"],
            **options,
        )


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
