"""What every workflow script does around its one call: a log, and errors that a user can read."""

import contextlib
import errno
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from crossz.errors import CrosszError

_FULL = ": no space is left; free some and rerun, what is finished is kept"
_READ_ONLY = ": nothing may be written there; make the folder writable, or run elsewhere (--directory), and rerun"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
}


class _Tee:
    # To the log as it is; to the terminal, where several jobs write, under the job's name and by whole lines.
    def __init__(self, log: TextIO, terminal: TextIO, name: str):
        self._log, self._terminal, self._name = log, terminal, name
        self._mine = threading.local()  # the line that each thread has begun

    def write(self, text: str) -> int:
        *lines, self._mine.line = (getattr(self._mine, "line", "") + text).split("\n")
        for line in lines:
            self._log.write(f"{line}\n")
            self._terminal.write(f"[{self._name}] {line}\n")
        return len(text)

    def flush(self) -> None:
        self._log.flush()
        self._terminal.flush()


def told(error: CrosszError | OSError) -> str:
    """What a user is told of an error: its message and, where an operating system's needs one, the remedy."""
    return f"{error}{_REMEDIES.get(getattr(error, 'errno', None), '')}"


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
            with contextlib.suppress(OSError):  # where the disk is full, the log may not be written either
                log.write(f"error: {told(error)}\n")
            sys.exit(f"crossz: {told(error)}")
        except Exception:
            log.write(traceback.format_exc())
            raise


@contextlib.contextmanager
def sigterm_noted() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether SIGTERM has come: how a cluster tells a job that its time is nearly over.

    Meanwhile the signal ends nothing by itself: a long job asks at points from which a later run can go on.
    """
    came = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: came.set())
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
