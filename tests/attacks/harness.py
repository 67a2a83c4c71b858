"""One process for each attack, and what is said of it."""

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from helpers import ORDERS

from crossz.apply import cli
from crossz.core.errors import CrosszError
from crossz.core.job import message_of
from crossz.scores.qp_export import qp_module

MOST_MB, CPU_S, IDLE_S = 1500, 14, 20
"""What a case may take: memory of its process, seconds of the processor, and seconds in which it does nothing."""
REFUSED, ACCEPTED, EITHER = "refused", "accepted", "either"
"""What crossz should make of a case. An answer has to hold in any case."""
_WRONG, _FORBIDDEN = 70, 71  # exit statuses of the processes of cases
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn")
_SECRET = "/etc/passwd"  # a file that no case may open
CANARY = "canary7f3a"
"""Stands for a password or a token: no case may show it."""

Content = bytes | str | Callable[[Path], object]
"""Of a file: bytes, text, or what writes it."""


class Case(NamedTuple):
    """One attack."""

    name: str
    run: Sequence[str] | Callable[[], object]
    """The words after `crossz`, or a call. It runs in a folder with `files`."""
    files: Mapping[str, Content] = {}
    wants: str = REFUSED
    check: Callable[[], None] | None = None
    """Raises AssertionError if what was accepted does not hold."""
    stdin: str = os.devnull
    network: bool = False
    """Whether it may connect to servers."""


class Outcome(NamedTuple):
    """What came of a case."""

    group: str
    name: str
    fault: str
    """Empty, or what is wrong."""
    said: str
    """The last line of its output."""
    peak_mb: float
    seconds: float


def outcomes(groups: Mapping[str, Sequence[Case]], jobs: int = 2) -> Iterator[Outcome]:
    """Run all cases, `jobs` at a time, as processes that begin with all modules that this process has imported."""
    global _cases
    qp_module()  # it calls uname when it is imported, which no case may
    _cases = [(group, case) for group, cases in groups.items() for case in cases]
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap(_outcome, range(len(_cases)))
    _cases = []


_cases: list[tuple[str, Case]] = []  # which the processes of the pool inherit: calls cannot be sent to them


def _outcome(number: int) -> Outcome:
    group, case = _cases[number]
    with tempfile.TemporaryDirectory() as scratch:
        folder, output = Path(scratch) / "case", Path(scratch) / "output"
        folder.mkdir()
        status, *_ = _watched(lambda: _make(case, folder), output, memory=False)
        if status:
            raise RuntimeError(f"{group}: {case.name}: its files could not be made: {output.read_text()}")
        status, peak_mb, seconds = _watched(lambda: _run(case, folder), output)
        text = output.read_text(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()]
    return Outcome(group, case.name, fault(case, status, text), lines[-1] if lines else "", peak_mb, seconds)


def fault(case: Case, status: int | str, text: str) -> str:
    """What is wrong with a process that ended with this status, or was killed for this reason, and wrote this text."""
    if isinstance(status, str):
        return status
    if status < 0:
        return "hang" if -status in (signal.SIGXCPU, signal.SIGALRM) else f"crash: {signal.Signals(-status).name}"
    if "Traceback (most recent call last)" in text:
        return "traceback"
    if orders := set(text) & ORDERS:
        return f"orders to a terminal: {sorted(orders)}"
    if CANARY in text:
        return "a secret is shown"
    if status in (_WRONG, _FORBIDDEN):
        return "wrong thing accepted" if status == _WRONG else "forbidden call"
    if status and not text.strip():
        return "refused without a word"
    if case.wants != (found := REFUSED if status else ACCEPTED) and case.wants != EITHER:
        return f"{found}, not {case.wants}"
    return ""


def _watched(body: Callable[[], int], output: Path, memory: bool = True) -> tuple[int | str, float, float]:
    """Run `body` in another process: its exit status or why it was killed, its peak of memory, and its seconds."""
    done, since = 0, time.monotonic()
    pid = os.fork()
    if not pid:
        _child(body, output)
    reason = ""
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            break
        if (now := _ticks(pid)) != done:
            done, since = now, time.monotonic()
        if memory and _rss_mb(pid) > MOST_MB:
            reason = "memory"
        elif time.monotonic() - since > IDLE_S:
            reason = "hang"
        if reason:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        time.sleep(0.005)
    peak_mb = usage.ru_maxrss / 1024
    if memory and peak_mb > MOST_MB:
        reason = "memory"
    return reason or os.waitstatus_to_exitcode(status), peak_mb, usage.ru_utime + usage.ru_stime


def _rss_mb(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    return 0.0


def _ticks(pid: int) -> int:
    """What a process has had of the processor: on a busy machine the clock says nothing."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return 0


def _child(body: Callable[[], int], output: Path) -> None:
    """The process of a case: it writes to `output`, and never returns."""
    status = 1
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 5))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number in (1, 2):
            os.dup2(descriptor, number)
        sys.stdout = sys.stderr = open(1, "w", closefd=False, errors="backslashreplace")  # noqa: SIM115
        status = body()
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _make(case: Case, folder: Path) -> int:
    os.chdir(folder)
    for name, content in case.files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode(errors="surrogateescape") if isinstance(content, str) else content)
    return 0


def _run(case: Case, folder: Path) -> int:
    os.chdir(folder)
    descriptor = os.open(case.stdin, os.O_RDONLY)
    os.dup2(descriptor, 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    forbidden: list[str] = []
    sys.addaudithook(lambda event, arguments: _audit(event, arguments, forbidden, case.network))
    before = {path for path in Path().rglob("*") if path.is_file()}
    try:
        status = _called(case.run)
        if not status and case.check is not None:
            case.check()
    except AssertionError as error:
        print(f"{error} ({traceback.extract_tb(error.__traceback__)[-1].line})")
        status = _WRONG
    if status not in (0, _WRONG) and (left := {path for path in Path().rglob("*") if path.is_file()} - before):
        print(f"it was refused, and left {sorted(map(str, left))}")
        return _WRONG
    if forbidden:
        print(f"it tried {forbidden[0]}")
        return _FORBIDDEN
    return status


def _audit(event: str, arguments: tuple, forbidden: list[str], network: bool) -> None:
    connects = event == "socket.connect" and not network
    if connects or event.startswith(_PROGRAMS) or (event == "open" and arguments[0] == _SECRET):
        forbidden.append(f"{event} {arguments[1 if event == 'socket.connect' else 0]}")


def _called(run: Sequence[str] | Callable[[], object]) -> int:
    """The exit status of a command or a call, whose message is written as Python writes it."""
    try:
        if callable(run):
            run()
        else:
            cli.main(run)
    except (CrosszError, OSError) as error:
        print(f"{type(error).__name__}: {message_of(error)}" if callable(run) else traceback.format_exc())
        return 1
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code)
            return 1
        return end.code or 0
    return 0
