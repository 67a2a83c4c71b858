"""Bytes of a frame's file from three sources: a file on disk, HTTP ranges, and the beginning of a body.

Each source is a function (start, stop) -> bytes, as sdss.bz2_blocks.read needs it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from crossz.archive.http import Client
from crossz.archive.responses import Reply, Unranged, content_length, range_of
from crossz.core.errors import Refused
from crossz.core.foreign import size_of
from crossz.sdss.bz2_blocks import Part
from crossz.sdss.frames import MOST

REMEDY = "Rerun to go on where this stopped; if it stays so, put another mirror into archive.sas"

Bytes = Callable[[int, int], bytes]


class Remote(Protocol):
    """A file of the archive of which only a part is fetched."""

    size: int | None
    url: str | None
    etag: str | None

    def part(self, read: Callable[[Bytes], Part]) -> Part:
        """`read` of the file's bytes."""

    def seen(self, start: int, stop: int) -> bytes:
        """Bytes that were read, once more."""


class OnDisk:
    """A file on disk: all its bytes, or those in `ranges`. Raises CrosszError where it is none, or too large for a frame."""

    def __init__(self, path: Path, ranges: Sequence[Sequence[int]] | None = None):
        self.size = size_of(path, MOST)
        self._descriptor = os.open(path, os.O_RDONLY)
        self._ranges = ranges

    def __enter__(self) -> "OnDisk":
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._descriptor)

    def __call__(self, start: int, stop: int) -> bytes:
        stop = min(stop, self.size)
        if self._ranges is not None and not any(a <= start and stop <= b for a, b in self._ranges):
            raise Refused("bytes that were not fetched")
        return os.pread(self._descriptor, stop - start, start)


class Ranges:
    """A file of the archive, by HTTP ranges: from the mirror that gave the last one, or another with the same version of it."""

    def __init__(self, client: Client, urls: Sequence[str]):
        self._client, self._urls = client, list(urls)
        self._parts: dict[int, bytes] = {}
        self._version: tuple[str | None, str | None] | None = None
        self.size: int | None = None
        self.url: str | None = None
        self.etag: str | None = None

    def part(self, read: Callable[[Bytes], Part]) -> Part:
        """`read` of the file's bytes."""
        return read(self)

    def __call__(self, start: int, stop: int) -> bytes:
        name = f"{Path(self._urls[0]).name} bytes {start}-{stop - 1}"
        reply = self._client.fetch(self._urls, name, self._accept, REMEDY, span=(start, stop))
        self._urls, self.url = [reply.url, *(url for url in self._urls if url != reply.url)], reply.url
        self._parts[start] = reply.body
        return self._parts[start]

    def _accept(self, reply: Reply) -> Reply:
        version = (reply.headers.get("ETag"), reply.headers.get("Last-Modified"))
        _, _, size = range_of(reply.headers["Content-Range"])
        if size > MOST:
            raise Refused(f"a file of {size:,} bytes; a frame has at most {MOST:,}")
        if self._version is not None and (version, size) != (self._version, self.size):
            raise Unranged("the file changed between two ranges of it")
        self._version, self.size, self.etag = version, size, version[0]
        return reply

    def seen(self, start: int, stop: int) -> bytes:
        """Bytes that were read, once more."""
        joined = b"".join(body for at, body in sorted(self._parts.items()) if start <= at < stop)
        assert len(joined) == stop - start
        return joined


class Beginning:
    """A file of the archive from its beginning: one body, which is left as soon as there are enough bytes."""

    def __init__(self, client: Client, urls: Sequence[str]):
        self._client, self._urls = client, urls
        self._body = b""
        self.size: int | None = None
        self.url: str | None = None
        self.etag: str | None = None

    def part(self, read: Callable[[Bytes], Part]) -> Part:
        """`read` of the file's bytes."""

        def consume(parts: Iterator[bytes]) -> tuple[Part, bytes]:
            body = _Body(parts)  # of this attempt: an attempt that was given up may still be running
            return read(body), bytes(body.content)

        name = Path(self._urls[0]).name
        reply = self._client.fetch(self._urls, name, lambda reply: reply, REMEDY, most=MOST, consume=consume)
        part: Part
        part, self._body = reply.body
        self.url, self.etag = reply.url, reply.headers.get("ETag")
        self.size = content_length(reply.headers)
        return part

    def seen(self, start: int, stop: int) -> bytes:
        """Bytes that were read, once more."""
        return self._body[start:stop]


class _Body:
    # A body as it comes.
    def __init__(self, parts: Iterator[bytes]):
        self._parts = parts
        self.content = bytearray()

    def __call__(self, start: int, stop: int) -> bytes:
        while len(self.content) < stop:
            part = next(self._parts, None)
            if part is None:
                break
            self.content += part
        return bytes(self.content[start:stop])
