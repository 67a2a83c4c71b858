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
        # SAS has spectra of eBOSS below sdss too, and full ones beside the lite ones: here they are one file.
        name = re.sub(r"/sdss/(spectro/redux/v[^/]*/spectra)/(full|lite)/", r"/eboss/\1/lite/", f"/{name}").lstrip("/")
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
    """The part of a file that a Range header asks for, as RFC 9110 says.

    A header that is no range, and several ranges at once, are ignored; a range beyond the file is 416.
    """
    match = re.fullmatch(r"(?i:bytes)=[ \t]*(\d*)-(\d*)[ \t]*", headers.get("Range", "").strip())
    if answer.status != 200 or "Accept-Ranges" not in answer.headers or match is None or not (match[1] or match[2]):
        return answer
    if match[1] and match[2] and int(match[1]) > int(match[2]):
        return answer
    if headers.get("If-Range", answer.headers["ETag"]) not in (answer.headers["ETag"], answer.headers["Last-Modified"]):
        return answer
    size = len(answer.body)
    if match[1]:
        first, last = int(match[1]), min(int(match[2] or size), size - 1)
    else:
        first, last = max(size - int(match[2]), 0), size - 1
    if first >= size:
        return Answer(416, b"", headers={"Content-Range": f"bytes */{size}"})
    part_headers = answer.headers | {"Content-Range": f"bytes {first}-{last}/{size}"}
    return answer._replace(status=206, body=answer.body[first : last + 1], headers=part_headers)
