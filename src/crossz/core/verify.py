"""Everything on disk hashed again, against what each stage wrote beside its outputs."""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

from crossz.core.errors import CrosszError, fail_if
from crossz.core.files import read_json, sha256, sha256_of_ranges

log = logging.getLogger(__name__)

Ranges = list[list[int]]


def expected(
    results: Path, frames_root: Path | None, keep: bool
) -> Iterator[tuple[Path, str | None, bool, Ranges | None]]:
    """(file, SHA-256, whether it must be there, bytes that the hash is of or None: all) of every output below `results` that a stage vouched for, and every frame.

    Outputs: "sha256" in the counts and receipts, "model_sha256" in model.json. Frames: `*.frames.jsonl`; those that were
    fetched for a shard need not be there any more, unless `keep`. Of a frame that was read in part those bytes are vouched for. SHA-256 None: an account that cannot be read.
    """
    for path in sorted(results.rglob("*.json")):
        try:
            facts = read_json(path)
        except ValueError:
            yield path, None, True, None
            continue
        for name, digest in facts.get("sha256", {}).items():
            yield path.parent / name, digest, True, None
        if "model_sha256" in facts:
            yield path.with_name("model.pt"), facts["model_sha256"], True, None
    seen = set()
    for path in sorted([*results.glob("stamps/*.frames.jsonl"), *results.glob("frames/*.jsonl")]):
        cache = results / "frames" / path.name.split(".")[0]
        try:
            entries = [json.loads(line) for line in path.read_text().splitlines()]
        except ValueError:
            yield path, None, True, None
            continue
        for entry in entries:
            if entry["status"] in ("missing", "damaged"):
                continue
            roots = [root for root in (frames_root, results / "sky/sas", cache) if root is not None]
            ranges = entry.get("ranges")
            name = f"{entry['path']}.part" if ranges and entry["status"] == "fetched" else entry["path"]
            places = [root / name for root in roots if (root / name).exists()]
            for place in places or [roots[0] / name]:
                if (place, str(ranges)) not in seen:  # two shards may have read other bytes of one frame
                    seen.add((place, str(ranges)))
                    yield place, entry["sha256"], keep or entry["status"] == "local", ranges


def verify(results: str | Path, frames_root: str | Path | None, keep: bool, subset: float) -> None:
    """Hash a share `subset` of the files again (1: all), chosen by their names, the same files every time.

    Raises one CrosszError that lists every file that is gone or has other bytes than it was written with, or when there is
    nothing to hash.
    """
    problems, checked, left_out, released, size = [], 0, 0, 0, 0
    for path, digest, needed, ranges in expected(Path(results), frames_root and Path(frames_root), keep):
        if digest is None:
            problems.append(f"{path}: damaged, and with it the account of its files; delete it and rerun")
            continue
        if int(hashlib.sha256(path.as_posix().encode()).hexdigest()[:8], 16) >= subset * 2**32:
            left_out += 1
            continue
        if not path.exists():
            if needed:
                problems.append(f"{path}: gone")
            released += not needed
            continue
        checked += 1
        size += path.stat().st_size
        if (sha256_of_ranges(path, ranges) if ranges else sha256(path)) != digest:
            problems.append(f"{path}: damaged; delete it and rerun")
        if checked % 1000 == 0:
            log.info(f"{checked:,} files, {size / 1e9:.1f} GB")
    log.info(
        f"{checked:,} files hashed again, {size / 1e9:.2f} GB, {len(problems)} problem(s); {released:,} fetched frames were not "
        f"kept, {left_out:,} files are not in the subset"
    )
    fail_if(problems, "verify")
    if not checked + left_out + released:
        raise CrosszError(f"{results}: nothing to verify; has a run been made here?")
