"""What every workflow script does around its one call: a log, and errors that a user can read."""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from crossz.errors import CrosszError


class _Tee:
    def __init__(self, *streams: TextIO):
        self._streams = streams

    def write(self, text: str) -> int:
        for stream in self._streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None:
        for stream in self._streams:
            stream.flush()


@contextlib.contextmanager
def stage(log_path: str | Path) -> Iterator[None]:
    """Run one job's work: what it prints goes to the terminal and to its log.

    An error the user can mend (CrosszError, or an operating system's such as a full disk) ends the job with its message
    alone; the traceback of any other error goes with it.
    """
    with open(log_path, "w", buffering=1) as log, contextlib.redirect_stdout(_Tee(sys.stderr, log)):
        try:
            yield
        except (CrosszError, OSError) as error:
            log.write(f"error: {error}\n")
            sys.exit(f"crossz: {error}")
        except Exception:
            log.write(traceback.format_exc())
            raise
