"""What every workflow script does around its one call: a log, and errors that a user can read."""

import contextlib
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from crossz.errors import CrosszError


class _Tee:
    # To the log as it is; to the terminal, where several jobs write, under the job's name and by whole lines.
    def __init__(self, log: TextIO, terminal: TextIO, name: str):
        self._log, self._terminal, self._name, self._line = log, terminal, name, ""

    def write(self, text: str) -> int:
        self._log.write(text)
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._terminal.write(f"[{self._name}] {line}\n")
        return len(text)

    def flush(self) -> None:
        self._log.flush()
        self._terminal.flush()


@contextlib.contextmanager
def stage(log_path: str | Path) -> Iterator[None]:
    """Run one job's work: what it prints goes to the terminal and to its log.

    An error the user can mend (CrosszError, or an operating system's such as a full disk) ends the job with its message
    alone; the traceback of any other error goes with it.
    """
    name = " ".join(Path(log_path).with_suffix("").parts[1:])
    with open(log_path, "w", buffering=1) as log, contextlib.redirect_stdout(_Tee(log, sys.stderr, name)):
        try:
            yield
        except (CrosszError, OSError) as error:
            log.write(f"error: {error}\n")
            sys.exit(f"crossz: {error}")
        except Exception:
            log.write(traceback.format_exc())
            raise
