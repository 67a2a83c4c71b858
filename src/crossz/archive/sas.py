"""Frames from the Science Archive Server, its mirrors, or a folder in its layout.

A file counts as fetched when its bytes have been decoded and are what the path says. Only then does it get its name on
disk. The decoded frame goes on to be cut, so no frame is decoded twice.

If only some rows of a frame are needed, a part of it may be fetched and decoded (stamps.fetch: prefix or blocks,
sdss.bz2_blocks). Its bytes wait in a file NAME.part, each at its own offset, and the manifest says which they are. If
anything of the part does not hold, the complete file is fetched and decides.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from crossz.archive.frame_bytes import REMEDY, Beginning, Bytes, OnDisk, Ranges, Remote
from crossz.archive.http import Client, Damaged, Unanswered, limits
from crossz.archive.journal import Journal
from crossz.archive.place import Place, place_of
from crossz.archive.responses import Denied, Missing, Reply, Unranged
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, Refused
from crossz.core.files import atomic_path, sha256_of_ranges
from crossz.core.foreign import read_file
from crossz.images import frame_rows
from crossz.images import stamps as images_stamps
from crossz.sdss import bz2_blocks
from crossz.sdss.frames import MOST, FieldID, Frame, decode, frame_path

log = logging.getLogger(__name__)

CHECKED = {
    "whole": ["stream CRC", "nothing behind the stream", "header", "all pixels finite"],
    "prefix": ["block CRCs", "header", "rows finite"],
    "blocks": ["block CRCs", "places of blocks", "header", "rows finite"],
}
"""What was checked of a frame, by how it was fetched: `verified` in the manifest."""
_UNRANGED = 3  # frames in a row that a server gave no ranges of, after which it is asked for complete files only


class _Key(NamedTuple):
    # A frame: its field and band; `name`: its path in the archive.
    field: FieldID
    band: str

    @property
    def name(self) -> str:
        return frame_path("", self.field, self.band).as_posix()


class _Mirrors(NamedTuple):
    # The archive: a client, the threads that fetch ahead, the addresses.
    client: Client
    threads: ThreadPoolExecutor
    addresses: list[str]

    def urls(self, name: str) -> list[str]:
        return [f"{address}/{name}" for address in self.addresses]

    def partial(self, name: str, way: str) -> Remote:
        source = Ranges if way == "blocks" else Beginning
        return source(self.client, self.urls(name))


class Frames:
    """The frames of one shard's fields, by (field, band): from disk, or fetched one field ahead of need.

    Parameters
    ----------
    fields
        In the order in which they will be asked for.
    cache
        Where fetched frames wait until their shard is done (unless `place` keeps them), beside the journal of what was
        fetched, or is missing (404, never asked for again).
    place
        Where frames come from.
    rows_of
        Which rows a field's frame is needed for, given that frame (known: none yet). It may raise Refused for a frame
        that is not where its field is. Without it, complete frames are read.
    """

    def __init__(
        self,
        fields: Sequence[FieldID],
        cache: str | Path,
        place: Place,
        rows_of: Callable[[FieldID, Frame], bz2_blocks.Rows] | None = None,
    ):
        self._fields = list(fields)
        self._way = "whole" if rows_of is None or place.keep else place.fetch
        self._rows_of = rows_of or (lambda field, frame: [])
        self._audit, self._unranged = place.audit, 0
        self._number = {field: number for number, field in enumerate(fields)}
        self._scheduled = 0
        self._damaged_is_missing = place.damaged_is_missing
        self._root = None if place.root is None else Path(place.root)
        self._own = self._root if place.keep and self._root is not None else Path(cache)
        self._journal = Journal(Path(cache, "journal.jsonl"))
        self._pending: dict[_Key, Future[Frame | None]] = {}
        self._mirrors: _Mirrors | None = None
        if place.archive and place.archive["sas"]:
            self._mirrors = _Mirrors(
                Client(limits(place.archive)),
                ThreadPoolExecutor(place.archive["connections"]),
                [address.rstrip("/") for address in place.archive["sas"]],
            )

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, *error: object) -> None:
        if self._mirrors:
            self._mirrors.client.close()
            self._mirrors.threads.shutdown(cancel_futures=True)

    def __call__(self, field: FieldID, band: str, all_rows: bool = False) -> Frame | None:
        """The frame, or None where the archive has none; with all its rows, if `all_rows`.

        Raises
        ------
        errors.CrosszError
            It is damaged on disk, or cannot be fetched undamaged from any mirror.
        """
        key = _Key(field, band)
        if all_rows:
            return self._get(key, "whole")
        if self._mirrors and field in self._number:
            for ahead in self._fields[self._scheduled : self._number[field] + 2]:
                keys = [_Key(ahead, other) for other in BANDS]
                self._pending |= {key: self._mirrors.threads.submit(self._get, key, self._way) for key in keys}
                self._scheduled += 1
        pending = self._pending.pop(key, None)
        return self._get(key, self._way) if pending is None else pending.result()

    def _get(self, key: _Key, way: str) -> Frame | None:
        for folder, status in ((self._root, "local"), (self._own, "fetched")):
            path = None if folder is None else folder / key.name
            if path is not None and os.path.lexists(path):  # a link that leads nowhere is no missing frame
                frame = None if way == "whole" else self._read_part(path, key, way, status)
                return self._read(path, key, status) if frame is None else frame
        if self._mirrors is None or self._journal.status(key.name) in ("missing", "damaged"):
            return None
        frame = None if way == "whole" else self._fetch_part(key, way, self._mirrors)
        return self._fetch(key, self._mirrors) if frame is None else frame

    def _part(self, source: Bytes, key: _Key, way: str) -> bz2_blocks.Part:
        return bz2_blocks.read(source, key.field, key.band, lambda frame: self._rows_of(key.field, frame), way)

    def _decode(self, content: bytes, key: _Key) -> Frame:
        frame = decode(content, key.field, key.band)
        self._rows_of(key.field, frame)  # refuses a frame of another place
        return frame

    def _read_part(self, path: Path, key: _Key, way: str, status: str) -> Frame | None:
        """The rows needed of a complete file on disk, or None where only all of it can tell them."""
        try:
            with OnDisk(path) as source:
                part = self._part(source, key, way)
        except Refused as error:
            log.info(f"{path.name}: {error}; reading the complete file")
            return None
        self._compare(part, key, way, lambda: self._read(path, key, status))
        known = self._journal.entries.get(key.name, {})
        if known.get("fetch") != "whole":  # what is known of the complete file says more
            facts = _facts(path, part, way) | {"size": path.stat().st_size}
            if any(known.get(name) != value for name, value in facts.items()):
                self._journal.add(key.name, status, **facts)
        return part.frame

    def _fetch_part(self, key: _Key, way: str, mirrors: _Mirrors) -> Frame | None:
        """The rows needed of a frame of the archive, or None where only the complete file can tell, even that there is none."""
        path, entry = self._own / f"{key.name}.part", self._journal.entries.get(key.name, {})
        if path.exists() and entry.get("ranges"):
            try:
                with OnDisk(path, entry["ranges"]) as source:
                    return self._part(source, key, way).frame
            except Refused:
                log.info(f"{path.name}: damaged, or of other rows; fetching it again")
        if way == "blocks" and self._unranged >= _UNRANGED:
            return None
        remote = mirrors.partial(key.name, way)
        try:
            part = remote.part(lambda source: self._part(source, key, way))
        except (Missing, Denied):
            return None  # `_fetch` has the words for it
        except (Refused, Unranged, CrosszError) as error:
            if isinstance(error, Unanswered):
                raise
            self._unranged += not isinstance(error, Refused)
            log.info(f"{Path(key.name).name}: {error}; fetching the complete file")
            return None
        self._unranged = 0
        if not self._compare(part, key, way, lambda: self._fetch(key, mirrors)):
            self._keep_part(path, key, way, part, remote)
        return part.frame

    def _keep_part(self, path: Path, key: _Key, way: str, part: bz2_blocks.Part, remote: Remote) -> None:
        """Write the bytes that were fetched, each at its own offset, and note them."""
        with atomic_path(path) as temporary:
            with open(temporary, "wb") as handle:
                for start, stop in part.ranges:
                    handle.seek(start)
                    handle.write(remote.seen(start, stop))
            source = {"size": remote.size, "url": remote.url, "etag": remote.etag}
            self._journal.add(key.name, "fetched", **_facts(temporary, part, way), **source)

    def _compare(self, part: bz2_blocks.Part, key: _Key, way: str, complete: Callable[[], Frame | None]) -> bool:
        """Whether a frame read in part was chosen, by its name, to be compared with the complete one.

        A comparison notes the complete file, and puts it on disk. Raises CrosszError where the two differ.
        """
        name = key.name
        if int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) >= self._audit * 2**32:
            return False
        frame, known = complete(), part.frame.known
        if frame is None or frame.data[known].tobytes() != part.frame.data[known].tobytes():
            raise CrosszError(
                f"{name}: rows read in part differ from those of the complete file; set stamps.fetch: whole and rerun, and please report this frame"
            )
        self._journal.add(**self._journal.entries[name] | {"compared": way})
        return True

    def _read(self, path: Path, key: _Key, status: str) -> Frame | None:
        content = read_file(path, MOST)
        try:
            frame = self._decode(content, key)
        except Refused as error:
            if status == "local" or self._mirrors is None:
                raise CrosszError(f"{path}: {error}; delete it and rerun, or put a good copy there") from error
            log.info(f"{path}: {error}; fetching it again")
            return self._fetch(key, self._mirrors)
        if self._journal.entries.get(key.name, {}).get("fetch") != "whole":
            self._journal.add(key.name, status, **_facts_of_all(content))
        return frame

    def _fetch(self, key: _Key, mirrors: _Mirrors) -> Frame | None:
        name, urls = key.name, mirrors.urls(key.name)

        def accept(reply: Reply) -> tuple[Reply, Frame]:
            return reply, self._decode(reply.body, key)

        try:
            reply, frame = mirrors.client.fetch(urls, Path(name).name, accept, REMEDY, most=MOST)
        except Missing:
            log.info(f"{Path(name).name}: the archive has no such frame (404)")
            self._journal.add(name, "missing", urls=urls)
            return None
        except Denied as error:
            raise CrosszError(
                f"{name}: {error} from {', '.join(mirrors.addresses)}; is archive.sas a public mirror?"
            ) from error
        except Damaged as error:
            if not self._damaged_is_missing:
                raise CrosszError(f"{error}, or go on without it: stamps.damaged_frames: missing") from error
            log.info(f"{error}; given up")
            self._journal.add(name, "damaged", urls=urls)
            return None
        source = {"url": reply.url, "etag": reply.headers.get("ETag")}
        self._journal.add(name, "fetched", **_facts_of_all(reply.body), **source)
        with atomic_path(self._own / name) as temporary:
            temporary.write_bytes(reply.body)
        return frame

    def fetch_all(self) -> None:
        """Have every frame of every field on disk, checked. Raises CrosszError where they would not be kept."""
        if self._root != self._own:
            raise CrosszError(
                "frames are fetched ahead only if they are kept: set stamps.keep_frames and stamps.frames_root"
            )
        for number, field in enumerate(self._fields, 1):
            for band in BANDS:
                self(field, band)
            if number % 10 == 0 or number == len(self._fields):
                log.info(f"field {number} of {len(self._fields)}")

    def write_manifest(self, path: str | Path) -> None:
        """Write what became of every frame that was asked for: a JSON object a line, sorted by path.

        Raises
        ------
        errors.CrosszError
            The archive has had none of them: then its address is wrong, not the frames missing.
        """
        statuses = [entry["status"] for entry in self._journal.entries.values()]
        if len(self._fields) > 1 and set(statuses) == {"missing"}:
            self._journal.forget()
            addresses = ", ".join(self._mirrors.addresses if self._mirrors else [])
            raise CrosszError(f"none of {len(statuses)} frames exists below {addresses}; is archive.sas right?")
        self._journal.write(path)


def _facts(path: Path, part: bz2_blocks.Part, way: str) -> dict[str, Any]:
    return {
        "fetch": way,
        "verified": CHECKED[way],
        "ranges": [list(span) for span in part.ranges],
        "blocks": part.blocks,
        "sha256": sha256_of_ranges(path, part.ranges),
    }


def _facts_of_all(content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"fetch": "whole", "verified": CHECKED["whole"], "sha256": digest, "size": len(content)}


def shard_frames(plan: str | Path, cache: str | Path, place: Place) -> Frames:
    """The frames of the fields of one shard's plan, in its order; parameters as those of `Frames`."""
    objects = pq.read_table(plan, columns=[*FieldID._fields, "ra", "dec"]).to_pandas()
    groups = objects.groupby(list(FieldID._fields), sort=False)[["ra", "dec"]]
    positions = {FieldID(*map(int, key)): rows.to_numpy(float) for key, rows in groups}

    def near(field: FieldID) -> list[np.ndarray]:
        fields = (field, field._replace(field=field.field - 1), field._replace(field=field.field + 1))
        return [positions.get(one, np.empty((0, 2))) for one in fields]

    def needed(field: FieldID, frame: Frame) -> bz2_blocks.Rows:
        frame_rows.check_position(frame, *near(field))
        return frame_rows.rows_of(frame, *near(field))

    return Frames(list(positions), cache, place, needed)


def write_stamps(
    *,
    plan: str | Path,
    frames: str | None,
    stamps: str | Path,
    counts: str | Path,
    manifest: str | Path,
    edges: str,
    cache: str | Path,
    config: dict[str, Any],
) -> None:
    """Cut the objects of one shard from the frames of `config`'s place.

    Parameters
    ----------
    plan
        Path of the shard's plan.
    frames
        The folder that a rule has filled with frames, if there is one.
    stamps, counts
        Written by images.stamps.write_stamps.
    manifest
        Written: what became of every frame.
    edges
        What becomes of an object at the edge of its frame (stamps.edges).
    cache
        Where fetched frames wait.
    config
        The configuration.
    """
    with shard_frames(plan, cache, place_of(config, frames)) as source:
        images_stamps.write_stamps(plan=plan, stamps=stamps, counts=counts, edges=edges, frames=source)
        source.write_manifest(manifest)


def fetch_frames(*, plan: str | Path, manifest: str | Path, cache: str | Path, config: dict[str, Any]) -> None:
    """Have the frames of one shard in the user's folder, and write what became of every one; as `write_stamps`."""
    with shard_frames(plan, cache, place_of(config)) as source:
        source.fetch_all()
        source.write_manifest(manifest)
