"""Files that appear whole under their final name, or not at all."""

import glob
import hashlib
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from crossz.core.errors import CrosszError
from crossz.core.foreign import read_file

_MOST = 4 << 30  # bytes of a JSON file


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`; what is written there appears under `path` whole, or not at all.

    Its name ends as that of `path` does, since writers such as matplotlib choose the format by it. Its name also has the
    writer's host and process: a job that outlived its killed Snakemake may write beside the job that replaces it. What a
    killed writer of this host left is deleted.

    Yields
    ------
    Path
        Where to write. One file has to be there in the end.

    Raises
    ------
    OSError
        Nothing can be written; the error has the name of a file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    begin, end = f".{path.stem}.{socket.gethostname()}.", f".part{path.suffix}"
    for left in path.parent.glob(f"{glob.escape(begin)}*{glob.escape(end)}"):
        pid = left.name.removeprefix(begin).removesuffix(end)
        if pid.isdecimal() and not _alive(int(pid)):
            left.unlink(missing_ok=True)
    temporary = path.with_name(f"{begin}{os.getpid()}{end}")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say where it is full
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def write_json(path: str | Path, content: dict) -> None:
    """Write `content` to `path`, indented, keys in the order given: equal contents are equal bytes."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path) -> dict:
    """The object in a JSON file that crossz wrote.

    Raises
    ------
    CrosszError
        It is damaged, or holds something else.
    """
    try:
        content = json.loads(read_file(path, _MOST))
    except CrosszError:  # which is a ValueError
        raise
    except (ValueError, RecursionError) as error:
        raise CrosszError(f"{path}: damaged ({type(error).__name__}); delete it and rerun") from error
    if not isinstance(content, dict):
        raise CrosszError(f"{path}: damaged (no JSON object); delete it and rerun")
    return content


def digests(*paths: str | Path) -> dict[str, str]:
    """SHA-256 of each file under its name: what a rule's counts say of its outputs, and `snakemake verify` reads."""
    return {Path(path).name: sha256(path) for path in paths}


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_of_ranges(path: str | Path, ranges: Sequence[Sequence[int]]) -> str:
    """SHA-256 of parts of a file.

    Parameters
    ----------
    path
        The file.
    ranges
        (start, stop) of each part in bytes, `stop` not included. The parts are hashed one after the other.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for start, stop in ranges:
            handle.seek(start)
            digest.update(handle.read(stop - start))
    return digest.hexdigest()
