"""Bytes that others wrote: parsed or refused, and read from disk within bounds."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crossz.core.errors import CrosszError, Refused
from crossz.core.text import printable

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ROWS = 64 << 30  # bytes of a file of rows


@contextmanager
def refusing(what: str, besides: tuple[type[Exception], ...] = (), secret: bool = False) -> Iterator[None]:
    """Parse bytes of others: whatever a parser raises, `besides` apart, becomes one Refused that begins with `what`.

    Parsers raise what their authors thought of, and what nobody did: ValueError, OverflowError, RecursionError,
    MemoryError, errors of wcslib. None of them is a fault of this package, so that none may show a traceback. Where the
    bytes are `secret`, the words of the error are left out.
    """
    passed: tuple[type[Exception], ...] = (Refused, CrosszError, *besides)
    try:
        yield
    except passed:
        raise
    except Exception as error:
        words = "" if secret else printable(str(error), 200)
        raise Refused(f"{what} ({type(error).__name__}{f': {words}' if words else ''})") from error


def size_of(path: str | Path, most: int) -> int:
    """Bytes of a file that is about to be read.

    Raises
    ------
    CrosszError
        It is a link that leads nowhere or no regular file, which may never end, or has more than `most` bytes; the message names it.
    """
    if os.path.islink(path) and not os.path.exists(path):
        raise CrosszError(f"{path}: a link that leads nowhere; mend it or delete it, and rerun")
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise CrosszError(f"{path}: not a regular file; put a file there, or delete it")
    if status.st_size > most:
        raise CrosszError(
            f"{path}: {status.st_size:,} bytes, more than the {most:,} of the largest; delete it and rerun"
        )
    return status.st_size


def read_file(path: str | Path, most: int) -> bytes:
    """All bytes of a regular file of at most `most` bytes. Raises CrosszError as `size_of` does."""
    size = size_of(path, most)
    with open(path, "rb") as handle:
        return handle.read(size)


def read_rows(path: str | Path) -> "pa.Table":
    """The rows of a Parquet file that an earlier run kept.

    Raises
    ------
    CrosszError
        It is damaged; the message names it and the remedy.
    """
    import pyarrow.parquet as pq

    size_of(path, _MOST_ROWS)
    try:
        with refusing("damaged"):
            return pq.read_table(path)
    except Refused as error:
        raise CrosszError(f"{path}: {error}; delete it and rerun") from error
