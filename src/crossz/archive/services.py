"""The SQL service that catalog.backend names."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crossz.archive import casjobs, skyserver
from crossz.archive.query import Service


@contextmanager
def connected(backend: str, archive: dict[str, Any]) -> Iterator[Service]:
    """The service `backend` ("casjobs" or "skyserver") at the addresses of `archive`, the block of the configuration.

    Raises
    ------
    errors.CrosszError
        Its address is wrong.
    """
    if backend == "casjobs":
        with casjobs.connected(archive) as jobs:
            yield jobs
    else:
        with skyserver.connected(archive) as server:
            yield server
