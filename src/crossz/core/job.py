"""What every script of the workflow does around its one call: a log, and errors that a user can read."""

import contextlib
import errno
import logging
import multiprocessing
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeGuard

from crossz.core import checksums
from crossz.core.errors import CrosszError
from crossz.core.text import printable

_FULL = ": no space is left; free some and rerun, what is finished is kept"
_READ_ONLY = ": nothing may be written there; make the folder writable, or run elsewhere (--directory), and rerun"
_DENIED = ": permission denied; check the permissions of the file and of its folder, or run elsewhere (--directory), and rerun"
_REMEDIES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
}
_INTERRUPTED = "interrupted; what is finished is kept, and a rerun goes on from there"
_NAMED = 8  # inputs, in a message: all of most rules
_LEVELS = {"quiet": logging.WARNING, "verbose": logging.DEBUG}


class Snakemake(Protocol):
    """What a script needs of the object `snakemake` that the engine puts into it."""

    input: Any
    output: Any
    params: Mapping[str, Any]
    log: Any


class _Lines(logging.Formatter):
    # Every line of a message under the job's name: several jobs write to one terminal.
    def __init__(self, prefix: str = ""):
        super().__init__()
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(self._prefix + line for line in harmless(super().format(record)).split("\n"))


def harmless(text: str) -> str:
    """Text without the characters that a terminal would obey: names and values of others stand in messages."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def message_of(error: CrosszError | OSError) -> str:
    """The text that a user reads of an error: its message and, where an operating system's needs one, the remedy."""
    if not isinstance(error, OSError) or error.errno not in _REMEDIES:
        return harmless(str(error))
    plain = OSError(error.errno, os.strerror(error.errno), error.filename)  # libraries add lines of their own
    return harmless(f"{plain}{_REMEDIES[error.errno]}")


@contextlib.contextmanager
def logged(log_path: str | Path, inputs: Sequence[str] = ()) -> Iterator[None]:
    """Run one job's work: messages of the logger `crossz` go to the terminal and to the job's log.

    An error that the user can mend (CrosszError, or an operating system's such as a full disk) ends the job with its
    message alone. Any other error ends it with one line, and the log has the traceback. SIGTERM ends the job at once,
    with a message and with the processes that it has started. The environment variable CROSSZ_LOG sets what the
    terminal shows: `quiet`, warnings and errors; `verbose`, details and tracebacks too.

    Parameters
    ----------
    log_path
        The job's log. Lines on the terminal begin with its folders and name below the folder `logs`.
    inputs
        What the job reads: an error that nobody foresaw names them.

    Raises
    ------
    SystemExit
        After an error, or after Ctrl-C, with its message.
    """
    name = re.split("(?:^|/)logs/", Path(log_path).with_suffix("").as_posix(), maxsplit=1)[-1].replace("/", " ")
    logger = logging.getLogger("crossz")
    shown = _LEVELS.get(os.environ.get("CROSSZ_LOG", ""), logging.INFO)
    with open(log_path, "w", buffering=1) as log:
        handlers: list[logging.Handler] = [logging.StreamHandler(log), logging.StreamHandler(sys.stderr)]
        for handler, prefix in zip(handlers, ("", f"[{name}] "), strict=True):
            handler.setFormatter(_Lines(prefix))
            logger.addHandler(handler)
        handlers[1].setLevel(shown)
        before, level = logger.propagate, logger.level
        logger.propagate = False
        logger.setLevel(min(shown, logging.INFO))
        try:
            with _ended_by_sigterm(log.fileno()):
                yield
        except KeyboardInterrupt:
            log.write(f"error: {_INTERRUPTED}\n")
            sys.exit(f"crossz: {_INTERRUPTED}")
        except Exception as error:
            message = message_of(error) if _foreseen(error) else None
            with contextlib.suppress(OSError):  # where the disk is full, the log may not be written either
                log.write(traceback.format_exc() if message is None else f"error: {message}\n")
            if message is None and shown == logging.DEBUG:
                raise
            sys.exit(f"crossz: {message or _of_unforeseen(error, inputs, log_path)}")
        finally:
            for handler in handlers:
                logger.removeHandler(handler)
            logger.propagate = before
            logger.setLevel(level)


def _foreseen(error: Exception) -> TypeGuard[CrosszError | OSError]:
    """Whether it says by itself what is wrong. An OSError without a number is a library's, about contents."""
    return isinstance(error, CrosszError) or (isinstance(error, OSError) and error.errno is not None)


def _of_unforeseen(error: Exception, inputs: Sequence[str], log_path: str | Path) -> str:
    """What a user reads of another error: a changed input may be to blame, first of all one without a checksum."""
    suspects = checksums.unnoted(inputs) or checksums.of_results(inputs)
    one = "one of " if len(suspects) > 1 else ""
    remedy = f"if {one}{_some(suspects)} was changed by hand, delete it and rerun; else " if suspects else ""
    words = f"{type(error).__name__}: {printable(str(error), 200)}"
    return harmless(f"{words}; {remedy}report it with {log_path}, which has the traceback")


def _some(paths: Sequence[str]) -> str:
    """The first few of some paths, and how many more."""
    more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
    return f"{', '.join(paths[:_NAMED])}{more}"


@contextlib.contextmanager
def _ended_by_sigterm(log: int) -> Iterator[None]:
    """SIGTERM ends this process as ever, after a line to the terminal and to `log` (a file descriptor), and its children too.

    Children would wait for ever for one who is gone. Transfers under way are not waited for: their files have no name yet.
    """

    def end(number: int, _: object) -> None:
        for place, begin in ((log, "error"), (2, "crossz")):
            with contextlib.suppress(OSError):
                os.write(place, f"{begin}: {_INTERRUPTED}\n".encode())  # streams are not to be written in a handler
        for child in multiprocessing.active_children():
            child.terminate()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def job(snakemake: Snakemake) -> Iterator[dict[str, Any]]:
    """Run one job as `logged` does, and yield its arguments by name.

    Before it, the checksums of its inputs are compared, and inputs without one are named; after it, those of its outputs are
    kept (`crossz.core.checksums`).

    Yields
    ------
    dict
        The rule's named inputs, outputs and params. The param `code`, a digest, only tells the engine when to rerun
        and is left out. So a function is called with `**arguments`, and the order of a rule's files means nothing.

    Raises
    ------
    SystemExit
        An input is not as its job wrote it, or as `logged` says.
    """
    with logged(snakemake.log[0], snakemake.input):
        arguments: dict[str, Any] = {}
        for part in (snakemake.input, snakemake.output, snakemake.params):
            for name in part.keys():  # noqa: SIM118 - the engine's lists yield their values, not their names
                if name in arguments:
                    raise TypeError(f"the rule has two values of the name {name}")
                if name != "code":
                    arguments[name] = part[name]
        checksums.check(snakemake.input)
        if strange := checksums.unnoted(snakemake.input):
            logging.getLogger("crossz").warning(f"{_some(strange)}: used without a checksum; did a job make it?")
        checksums.forget(snakemake.output)
        try:
            yield arguments
        except OSError as error:
            if error.errno in _REMEDIES and error.filename is None:  # a full disk may not say where it is full
                error.filename = next(iter(snakemake.output), None)
            raise
        checksums.note(snakemake.output)


@contextlib.contextmanager
def sigterm_noted() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether SIGTERM has come: how a cluster tells a job that its time is nearly over.

    Meanwhile the signal ends nothing by itself. A long job asks at points from which a later run can go on.
    """
    came = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: came.set())
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
