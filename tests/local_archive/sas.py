"""The file server: files below some folders, or ranges of them."""

import email.utils
import re
from collections.abc import Sequence
from email.message import Message
from pathlib import Path

from .exchange import Answer, Request, not_found


class Sas:
    """The files of several folders; the first that has a path gives it."""

    def __init__(self, roots: Sequence[Path]):
        self._roots = [Path(root).resolve() for root in roots]

    def answer(self, request: Request) -> Answer:
        """The file at the request's path."""
        name = request.path.removeprefix("/sas/").lstrip("/")
        for root in self._roots:
            path = (root / name.replace("\0", "")).resolve()
            if path.is_relative_to(root) and path.is_file():
                stat = path.stat()
                headers = {
                    "ETag": f'"{stat.st_size:x}-{stat.st_mtime_ns // 1000:x}"',
                    "Last-Modified": email.utils.formatdate(stat.st_mtime, usegmt=True),
                    "Accept-Ranges": "bytes",
                }
                return Answer(200, path.read_bytes(), "application/octet-stream", headers, root, path)
        return not_found()


def ranged(answer: Answer, headers: Message) -> Answer:
    """The part of a file that a Range header asks for; several ranges at once are answered with the full file."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("Range", "").strip())
    if answer.status != 200 or "Accept-Ranges" not in answer.headers or match is None or match[0] == "bytes=-":
        return answer
    if headers.get("If-Range", answer.headers["ETag"]) != answer.headers["ETag"]:
        return answer
    size = len(answer.body)
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
    else:
        first, last = max(size - int(match[2]), 0), size - 1
    if first > last:
        return Answer(416, b"", headers={"Content-Range": f"bytes */{size}"})
    part_headers = answer.headers | {"Content-Range": f"bytes {first}-{last}/{size}"}
    return answer._replace(status=206, body=answer.body[first : last + 1], headers=part_headers)
