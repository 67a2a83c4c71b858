"""Everything on disk hashed again, against what each rule wrote beside its outputs."""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from crossz.core.errors import CrosszError, fail_if
from crossz.core.files import read_json, sha256, sha256_of_ranges

log = logging.getLogger(__name__)


class Expected(NamedTuple):
    """One file that a rule vouched for."""

    path: Path
    sha256: str | None
    """None: this file says what others have to be, and cannot be read."""
    required: bool = True
    """Whether it must be there."""
    ranges: list[list[int]] | None = None
    """(start, stop) of the bytes that the hash is of; None: all."""

    def problem(self) -> str | None:
        """What is wrong with the file as it lies on disk; None: nothing."""
        if self.sha256 is None:
            return f"{self.path}: damaged, and with it the account of its files; delete it and rerun"
        if not self.path.exists():
            return f"{self.path}: gone" if self.required else None
        digest = sha256_of_ranges(self.path, self.ranges) if self.ranges else sha256(self.path)
        return None if digest == self.sha256 else f"{self.path}: damaged; delete it and rerun"


def expected(results: Path, frames_root: Path | None, keep: bool) -> Iterator[Expected]:
    """Every output below `results` that a rule vouched for, and every frame.

    Outputs: "sha256" in counts and receipts, "model_sha256" in model.json. Frames: `*.frames.jsonl`.

    Parameters
    ----------
    results
        The folder results of a run.
    frames_root
        The user's folder of frames, if there is one.
    keep
        Whether fetched frames are kept. Otherwise those of a finished shard need not be there any more.
    """
    for path in sorted(results.rglob("*.json")):
        try:
            facts = read_json(path)
        except ValueError:
            yield Expected(path, None)
            continue
        for name, digest in facts.get("sha256", {}).items():
            yield Expected(path.parent / name, digest)
        if "model_sha256" in facts:
            yield Expected(path.with_name("model.pt"), facts["model_sha256"])
    seen = set()
    for path in sorted([*results.glob("stamps/*.frames.jsonl"), *results.glob("frames/*.jsonl")]):
        for frame in _frames(path, results, frames_root, keep):
            if (frame.path, str(frame.ranges)) not in seen:  # two shards may have read other bytes of one frame
                seen.add((frame.path, str(frame.ranges)))
                yield frame


def _frames(manifest: Path, results: Path, frames_root: Path | None, keep: bool) -> Iterator[Expected]:
    cache = results / "frames" / manifest.name.split(".")[0]
    roots = [root for root in (frames_root, results / "sky/sas", cache) if root is not None]
    try:
        entries = [json.loads(line) for line in manifest.read_text().splitlines()]
    except ValueError:
        yield Expected(manifest, None)
        return
    for entry in entries:
        if entry["status"] in ("missing", "damaged"):
            continue
        ranges = entry.get("ranges")
        name = f"{entry['path']}.part" if ranges and entry["status"] == "fetched" else entry["path"]
        places = [root / name for root in roots if (root / name).exists()]
        for place in places or [roots[0] / name]:
            yield Expected(place, entry["sha256"], keep or entry["status"] == "local", ranges)


def verify(results: str | Path, frames_root: str | Path | None, keep: bool, subset: float) -> None:
    """Hash files again, and compare with what the rules wrote.

    Parameters
    ----------
    results, frames_root, keep
        As for `expected`.
    subset
        Share of the files that are hashed, 1: all. Their names decide which, so it is the same files every time.

    Raises
    ------
    CrosszError
        A file is gone or has other bytes than it was written with: all of them are listed. Or there is nothing to hash.
    """
    problems, checked, left_out, released, size = [], 0, 0, 0, 0
    for file in expected(Path(results), Path(frames_root) if frames_root else None, keep):
        if file.sha256 is not None and not _chosen(file.path, subset):
            left_out += 1
            continue
        if problem := file.problem():
            problems.append(problem)
        if file.sha256 is None or not file.path.exists():
            released += not file.required
            continue
        checked += 1
        size += file.path.stat().st_size
        if checked % 1000 == 0:
            log.info(f"{checked:,} files, {size / 1e9:.1f} GB")
    log.info(
        f"{checked:,} files hashed again, {size / 1e9:.2f} GB, {len(problems)} problem(s); {released:,} fetched frames were not "
        f"kept, {left_out:,} files are not in the subset"
    )
    fail_if(problems, "verify")
    if not checked + left_out + released:
        raise CrosszError(f"{results}: nothing to verify; has a run been made here?")


def _chosen(path: Path, subset: float) -> bool:
    return int(hashlib.sha256(path.as_posix().encode()).hexdigest()[:8], 16) < subset * 2**32
