"""The SQL service that catalog.backend names, and CDS XMatch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crossz.archive import casjobs, skyserver
from crossz.archive.http import Client, limits
from crossz.archive.query import Service
from crossz.archive.responses import Denied, Missing
from crossz.core.errors import CrosszError


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


@contextmanager
def crossmatch_client(archive: dict[str, Any]) -> Iterator[Client]:
    """A client of CDS XMatch.

    Raises
    ------
    errors.CrosszError
        Its address is wrong, or it refuses this computer.
    """
    with Client(limits(archive)) as client:
        try:
            yield client
        except Missing as error:
            raise CrosszError(f"CDS XMatch is not at {error}; is archive.xmatch the right address?") from error
        except Denied as error:
            raise CrosszError(
                f"CDS XMatch refuses this computer, {error}: CDS bans those that send many requests at a time; "
                "write to cds-question@unistra.fr"
            ) from error
