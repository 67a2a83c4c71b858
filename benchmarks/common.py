"""What the benchmarks share: the machine that they ran on, and their tables."""

import os
import platform
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


def machine() -> str:
    """Processor, cores, memory and GPU, without a name of this machine."""
    found = re.search(r"model name\s*:\s*(.+)", _text("/proc/cpuinfo"))
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    card = re.search(r"Model:\s*(.+)", "".join(map(_text, Path("/proc/driver/nvidia/gpus").glob("*/information"))))
    parts = [found[1] if found else platform.machine(), f"{os.cpu_count()} cores", f"{memory:.0f} GiB"]
    return ", ".join([*parts, *([card[1]] if card else [])])


def _text(path: str | Path) -> str:
    return Path(path).read_text() if Path(path).is_file() else ""


def peak_memory() -> float:
    """GB that this process has held at most. getrusage() begins at what the parent held when it started the process."""
    return int(re.search(r"VmHWM:\s*(\d+)", _text("/proc/self/status"))[1]) * 1024 / 1e9


def watched(every: float = 0.02) -> Callable[[], float]:
    """Begin to watch the memory of this process; what it returns says the GB that were its own, not pages of files, at most.

    Pages of a file that is mapped, such as the images and the libraries, count in `peak_memory`, too. The system takes them
    back when it needs them.
    """
    most, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(every):
            most[0] = max(most[0], int(re.search(r"RssAnon:\s*(\d+)", _text("/proc/self/status"))[1]) * 1024 / 1e9)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def stop() -> float:
        done.set()
        thread.join()
        return most[0]

    return stop


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
