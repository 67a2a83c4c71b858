"""What became of each frame of a shard: fetched, missing, damaged, or on disk already."""

import datetime
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

from crossz.core.files import atomic_path
from crossz.core.foreign import read_file

_MOST = 1 << 30  # bytes of a journal: a line for each frame has some 700


class Journal:
    """The frames asked for so far, by path; what was fetched or is missing goes to the file `path`, a JSON object a line.

    A line goes to disk before the frame's file has its name. So a line that a kill cut short can be dropped: its file is
    not there either.
    """

    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()
        self.entries: dict[str, dict[str, Any]] = {}
        if os.path.lexists(path):
            content = read_file(path, _MOST)
            lines = content.decode(errors="replace").splitlines()
            known = [entry for entry in map(_entry, lines) if entry is not None]
            self.entries = {entry["path"]: entry for entry in known}
            if len(known) < len(lines) or not content.endswith(b"\n"):
                with atomic_path(path) as temporary:
                    temporary.write_text("".join(f"{json.dumps(entry)}\n" for entry in known))

    def status(self, name: str) -> str | None:
        """fetched, local, missing, damaged; None for a frame that nothing is known of."""
        return self.entries.get(name, {}).get("status")

    def add(self, path: str, status: str, **facts: Any) -> None:
        """Note what became of the frame at `path`; frames of the user's own (local) are not kept on disk."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        entry = {"path": path, "status": status, **facts} | {"time": now}
        with self._lock:
            self.entries[path] = entry
            if status == "local":
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "a") as handle:
                handle.write(json.dumps(entry) + "\n")
                handle.flush()
                os.fsync(handle.fileno())

    def forget(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    def write(self, path: str | Path) -> None:
        """Write all entries, a JSON object a line, sorted by path."""
        with atomic_path(path) as temporary:
            entries = sorted(self.entries.items())
            temporary.write_text("".join(f"{json.dumps(entry)}\n" for _, entry in entries))


def release(cache: str | Path) -> None:
    """Delete what waited for its shard, with its journal, if there is anything."""
    if Path(cache).exists():
        shutil.rmtree(cache)


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    named = isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in ("path", "status"))
    return entry if named else None
