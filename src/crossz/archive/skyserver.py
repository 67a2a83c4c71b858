"""SkyServer's SQL service: anonymous, at most 60 queries a minute, and cut without a word at 500,000 rows.

astroquery speaks to it too, but takes a cut CSV for whole, cannot bound a slow body and does not read bestObjID as an integer
(docs/dr17.md); so the requests are our own.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa

from crossz.archive import reply
from crossz.archive.http import Client

T = TypeVar("T")
CAP = 100_000
"""Rows a query asks for at most: a fifth of the limit, some 45 MB."""
REMEDY = "Rerun later (finished slices are kept), or try catalog.backend: casjobs"
_lock = threading.Lock()
_next = 0.0


def ask(client: Client, archive: dict) -> Callable:
    """A function (sql, columns, rows, what, make) -> `make` of the table of text columns, checked by `reply.table`.

    `archive`: the block of the configuration: skyserver (base address), query_s (patience for one answer, seconds),
    query_interval_s (least time between two queries).
    """
    url = f"{archive['skyserver'].rstrip('/')}/SkyServerWS/SearchTools/SqlSearch"

    def run(
        sql: str, columns: tuple[str, ...], rows: int | None, what: str,
        make: Callable[[pa.Table], T] = lambda table: table,
    ) -> T:  # fmt: skip
        wait_for_turn(archive["query_interval_s"])
        return client.fetch(
            [url],
            what,
            lambda found: make(reply.table(found.body, columns, rows)),
            REMEDY,
            method="POST",
            first_byte_s=archive["query_s"],
            data={"cmd": sql, "format": "csv"},
        )

    return run


def wait_for_turn(interval_s: float) -> None:
    """Wait until `interval_s` has passed since the turn before: SkyServer counts the queries of all its pages together."""
    global _next
    with _lock:
        now = time.monotonic()
        turn = max(now, _next)
        _next = turn + interval_s
    time.sleep(turn - now)
