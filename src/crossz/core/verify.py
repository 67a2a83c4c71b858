"""Everything in the folder results hashed again, against the checksums that each job kept."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from crossz.core import checksums
from crossz.core.errors import CrosszError, fail_if
from crossz.core.files import sha256_of_ranges
from crossz.core.foreign import read_file

log = logging.getLogger(__name__)

_UNNOTED = ("cache", "checkpoints", "frames", checksums.FOLDER)
"""Folders of results that no rule declares: what is in them is checked when it is used."""
_CACHES = ("spectra/*/", "predict/*/frames/")
"""The same, as patterns."""
_MOST = 4 << 30  # bytes of a list of frames
_NAMED = 20  # files that no job made, named in a message


class Frame(NamedTuple):
    """One frame of which a shard's stamps were cut."""

    path: Path
    sha256: str
    ranges: list[list[int]] | None
    """(start, stop) of the bytes that the hash is of; None: all."""
    required: bool
    """Whether it must be there."""

    def problem(self) -> str | None:
        """What is wrong with the frame as it lies on disk; None: nothing."""
        if not os.path.lexists(self.path):
            return f"{self.path}: gone" if self.required else None
        if not self.path.is_file():  # a pipe or a device may never end
            return f"{self.path}: not a regular file; delete it and rerun"
        whole = [[0, self.path.stat().st_size]]
        if sha256_of_ranges(self.path, self.ranges or whole) != self.sha256:
            return f"{self.path}: damaged; delete it and rerun"
        return None


def frames(frames_root: Path | None, keep: bool) -> Iterator[Frame]:
    """Every frame that `*.frames.jsonl` of the folder results and `results/frames` list, each range of it once.

    Parameters
    ----------
    frames_root
        The user's folder of frames, if there is one.
    keep
        Whether fetched frames are kept. Otherwise those of a finished shard need not be there any more.

    Raises
    ------
    CrosszError
        A list cannot be read.
    """
    results, seen = Path("results"), set()
    lists = [
        results.glob(name) for name in ("stamps/*.frames.jsonl", "predict/*/stamps/*.frames.jsonl", "frames/*.jsonl")
    ]
    for path in sorted(path for found in lists for path in found):
        above = path.parents[1]
        cache = above / "frames" / path.name.split(".")[0]
        roots = [root for root in (frames_root, results / "sky/sas", cache) if root is not None]
        for frame in _listed(path, roots, keep):
            if (frame.path, str(frame.ranges)) not in seen:  # two shards may have read other bytes of one frame
                seen.add((frame.path, str(frame.ranges)))
                yield frame


def _listed(manifest: Path, roots: list[Path], keep: bool) -> Iterator[Frame]:
    try:
        entries = [json.loads(line) for line in read_file(manifest, _MOST).splitlines()]
    except ValueError:
        raise CrosszError(f"{manifest}: damaged, and with it the account of its frames; delete it and rerun") from None
    for entry in entries:
        if entry["status"] in ("missing", "damaged"):
            continue
        ranges = entry.get("ranges")
        name = f"{entry['path']}.part" if ranges and entry["status"] == "fetched" else entry["path"]
        places = [root / name for root in roots if os.path.lexists(root / name)]
        for place in places or [roots[0] / name]:
            yield Frame(place, entry["sha256"], ranges, keep or entry["status"] == "local")


def verify(frames_root: str | Path | None, keep: bool, subset: float) -> None:
    """Hash the files of the folder results again, and compare with what the jobs wrote.

    Files that no job made are named, apart from caches; they are no problem.

    Parameters
    ----------
    frames_root, keep
        As for `frames`.
    subset
        Share of the files that are hashed, 1: all. Their names decide which, so it is the same files every time.

    Raises
    ------
    CrosszError
        A file is gone or has other bytes than it was written with: all of them are listed. Or there is nothing to hash.
    """
    noted: list[checksums.Checksum] = []
    problems: list[str] = []
    for path, output in checksums.all_noted():
        try:
            noted += checksums.read(path, output)
        except CrosszError as error:
            problems.append(str(error))
    known = {checksum.path for checksum in noted}
    fetched: list[Frame] = []
    try:
        fetched += (
            frame for frame in frames(Path(frames_root) if frames_root else None, keep) if frame.path not in known
        )
    except CrosszError as error:
        problems.append(str(error))
    files: list[checksums.Checksum | Frame] = [*noted, *fetched]
    chosen = [file for file in files if _chosen(file.path, subset)]
    problems += _hashed(chosen)
    if len(chosen) < len(files):
        log.info(f"{len(files) - len(chosen):,} files are not in the subset")
    known |= {frame.path for frame in fetched}
    strangers = [str(path) for path in _made() if path not in known]
    if strangers:
        more = f" and {len(strangers) - _NAMED:,} more" if len(strangers) > _NAMED else ""
        log.warning(f"no job made these files, so they were not checked: {', '.join(strangers[:_NAMED])}{more}")
    fail_if(problems, "verify")
    if not files:
        raise CrosszError("results: nothing to verify; has a run been made here?")


def _hashed(files: Sequence[checksums.Checksum | Frame]) -> list[str]:
    problems, checked, released, size = [], 0, 0, 0
    for file in files:
        if problem := file.problem():
            problems.append(problem)
        if file.path.is_file():
            checked += 1
            size += file.path.stat().st_size
            if checked % 1000 == 0:
                log.info(f"{checked:,} files, {size / 1e9:.1f} GB")
        elif problem is None:
            released += 1
    log.info(
        f"{checked:,} files hashed again, {size / 1e9:.2f} GB, {len(problems)} problem(s); {released:,} fetched frames were not kept"
    )
    return problems


def _made() -> Iterator[Path]:
    """Files of the folder results, caches apart."""
    results = Path("results")
    caches = {results / name for name in _UNNOTED} | {path for name in _CACHES for path in results.glob(name)}
    for folder, names, files in os.walk(results):
        names[:] = sorted(name for name in names if Path(folder, name) not in caches)
        yield from (Path(folder, name) for name in sorted(files) if name != checksums.STAMP)


def _chosen(path: Path, subset: float) -> bool:
    return int(hashlib.sha256(path.as_posix().encode()).hexdigest()[:8], 16) < subset * 2**32
