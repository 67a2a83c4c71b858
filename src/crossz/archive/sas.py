"""Frames and spectra from the Science Archive Server, its mirrors, or a folder in its layout.

A file counts as fetched when its bytes have been decoded and are what the path says; only then does it get its name on disk.
The decoded frame goes on to be cut: no frame is decoded twice.
"""

import datetime
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from crossz import BANDS
from crossz.archive.http import Client, Damaged, Denied, Missing, Reply, limits
from crossz.errors import CrosszError, Refused
from crossz.files import atomic_path
from crossz.frames import FieldID, Frame, decode, frame_path
from crossz.spectra import check, spectrum_path

REMEDY = "Rerun to go on where this stopped; if it stays so, put another mirror into archive.sas"


class Place(NamedTuple):
    """Where frames come from: a folder in the archive's layout (or None); the configuration's archive block (None: stay off
    the network); whether what is fetched is kept in that folder; whether a frame that no mirror sends whole stops the run
    or counts as missing."""

    root: str | None
    archive: dict | None
    keep: bool
    damaged_is_missing: bool = False


def place(config: dict, made: str | None = None) -> Place:
    """The place that `config` tells of; `made`: the folder that a rule has filled with frames, if there is one."""
    archive, stamps = config["archive"] if config["survey"] == "sdss" else None, config["stamps"]
    return Place(made or stamps["frames_root"], archive, stamps["keep_frames"], stamps["damaged_frames"] == "missing")


class Frames:
    """The frames of one shard's fields, by (field, band): from disk, or fetched one field ahead of need.

    `cache`: where fetched frames wait until their shard is done (unless `place` keeps them), beside the journal of what was
    fetched, or is missing (404, never asked for again).
    """

    def __init__(self, fields: Sequence[FieldID], cache: str | Path, place: Place):
        self._fields = list(fields)
        self._place = {field: number for number, field in enumerate(fields)}
        self._scheduled = 0
        self._damaged_is_missing = place.damaged_is_missing
        self._root = None if place.root is None else Path(place.root)
        self._own = Path(place.root if place.keep else cache)
        self._journal = _Journal(Path(cache, "journal.jsonl"))
        self._pending: dict[tuple[FieldID, str], Future] = {}
        self._client = self._threads = None
        if place.archive and place.archive["sas"]:
            self._mirrors = [mirror.rstrip("/") for mirror in place.archive["sas"]]
            self._client = Client(limits(place.archive))
            self._threads = ThreadPoolExecutor(place.archive["connections"])

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, *error: object) -> None:
        if self._client:
            self._client.__exit__()
            self._threads.shutdown(cancel_futures=True)

    def __call__(self, field: FieldID, band: str) -> Frame | None:
        """The frame, or None where the archive has none.

        Raises CrosszError for a frame that is damaged on disk, or cannot be fetched whole from any mirror.
        """
        if self._client and field in self._place:
            for ahead in self._fields[self._scheduled : self._place[field] + 2]:
                self._pending |= {(ahead, other): self._threads.submit(self._get, ahead, other) for other in BANDS}
                self._scheduled += 1
        pending = self._pending.pop((field, band), None)
        return self._get(field, band) if pending is None else pending.result()

    def _get(self, field: FieldID, band: str) -> Frame | None:
        name = frame_path("", field, band).as_posix()
        for folder, whose in ((self._root, "local"), (self._own, "fetched")):
            path = None if folder is None else folder / name
            if path is not None and path.exists():
                return self._read(path, name, field, band, whose)
        if self._client is None or self._journal.status(name) in ("missing", "damaged"):
            return None
        return self._fetch(name, field, band)

    def _read(self, path: Path, name: str, field: FieldID, band: str, whose: str) -> Frame | None:
        content = path.read_bytes()
        try:
            frame = decode(content, field, band)
        except Refused as error:
            if whose == "local" or self._client is None:
                raise CrosszError(f"{path}: {error}; delete it and rerun, or put a good copy there") from error
            print(f"{path}: {error}; fetching it again", flush=True)
            return self._fetch(name, field, band)
        if self._journal.status(name) is None:
            self._journal.add(name, whose, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
        return frame

    def _fetch(self, name: str, field: FieldID, band: str) -> Frame | None:
        urls = [f"{mirror}/{name}" for mirror in self._mirrors]
        try:
            reply, frame = self._client.fetch(
                urls, Path(name).name, lambda got: (got, decode(got.body, field, band)), REMEDY
            )
        except Missing:
            print(f"{Path(name).name}: the archive has no such frame (404)", flush=True)
            self._journal.add(name, "missing", urls=urls)
            return None
        except Denied as error:
            raise CrosszError(
                f"{name}: {error} from {', '.join(self._mirrors)}; is archive.sas a public mirror?"
            ) from error
        except Damaged as error:
            if not self._damaged_is_missing:
                raise CrosszError(f"{error}, or go on without it: stamps.damaged_frames: missing") from error
            print(f"{error}; given up", flush=True)
            self._journal.add(name, "damaged", urls=urls)
            return None
        self._journal.add(
            name,
            "fetched",
            sha256=hashlib.sha256(reply.body).hexdigest(),
            size=len(reply.body),
            url=reply.url,
            etag=reply.headers.get("ETag"),
        )
        with atomic_path(self._own / name) as temporary:
            temporary.write_bytes(reply.body)
        return frame

    def fetch_all(self) -> None:
        """Have every frame of every field on disk, checked. Raises CrosszError where they would not be kept."""
        if self._root != self._own:
            raise CrosszError(
                "frames are fetched ahead for those who keep them: set stamps.keep_frames and stamps.frames_root"
            )
        for number, field in enumerate(self._fields, 1):
            for band in BANDS:
                self(field, band)
            if number % 10 == 0 or number == len(self._fields):
                print(f"field {number} of {len(self._fields)}", flush=True)

    def write_manifest(self, path: str | Path) -> None:
        """Write what became of every frame that was asked for: one JSON object a line, sorted by path.

        Raises CrosszError when the archive has had none of them: then its address is wrong, not the frames missing.
        """
        statuses = [entry["status"] for entry in self._journal.entries.values()]
        if len(self._fields) > 1 and set(statuses) == {"missing"}:
            self._journal.forget()
            raise CrosszError(
                f"none of {len(statuses)} frames exists below {', '.join(self._mirrors)}; is archive.sas right?"
            )
        with atomic_path(path) as temporary:
            entries = sorted(self._journal.entries.items())
            temporary.write_text("".join(f"{json.dumps(entry)}\n" for _, entry in entries))


class _Journal:
    # What became of each frame, by path. What was fetched or is missing goes to disk, one JSON object a line, before the
    # file has its name; a line that a kill cut short is as good as none, since its file is not there either.
    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()
        self.entries: dict[str, dict] = {}
        if path.exists():
            lines = path.read_text(errors="replace").splitlines()
            known = [entry for entry in map(_entry, lines) if entry is not None]
            self.entries = {entry["path"]: entry for entry in known}
            if len(known) < len(lines) or not path.read_bytes().endswith(b"\n"):
                with atomic_path(path) as temporary:
                    temporary.write_text("".join(f"{json.dumps(entry)}\n" for entry in known))

    def status(self, name: str) -> str | None:
        return self.entries.get(name, {}).get("status")

    def add(self, name: str, status: str, **facts: object) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        entry = {"path": name, "status": status, **facts, "time": now}
        with self._lock:
            self.entries[name] = entry
            if status == "local":
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path, "a") as handle:
                handle.write(json.dumps(entry) + "\n")
                handle.flush()
                os.fsync(handle.fileno())

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


def _entry(line: str) -> dict | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "path" in entry and "status" in entry else None


def shard_frames(plan_path: str | Path, cache: str | Path, place: Place) -> Frames:
    """The frames of the fields of one shard's plan, in its order."""
    plan = pq.read_table(plan_path, columns=list(FieldID._fields)).to_pandas().drop_duplicates()
    return Frames([FieldID(*map(int, row)) for row in plan.to_numpy()], cache, place)


def release(cache: str | Path) -> None:
    """Delete the frames that waited for their shard, if there are any."""
    if Path(cache).exists():
        shutil.rmtree(cache)


def fetch_spectrum(client: Client, mirrors: Sequence[str], plate: int, mjd: int, fiberID: int, run2d: str) -> bytes:
    """The bytes of a lite spectrum, checked and seen twice alike, since SDSS gives these files no checksum.

    Raises http.Missing, and CrosszError when no two of the answers agree.
    """
    name = spectrum_path("", plate, mjd, fiberID, run2d).as_posix()
    urls = [f"{mirror.rstrip('/')}/{name}" for mirror in mirrors]

    def accept(reply: Reply) -> bytes:
        check(reply.body, plate, mjd, fiberID)
        return reply.body

    seen: list[bytes] = []
    for _ in range(4):
        body = client.fetch(urls, Path(name).name, accept, REMEDY)
        if body in seen:
            return body
        seen.append(body)
    raise CrosszError(f"{name}: {len(seen)} downloads, no two alike. {REMEDY}")
