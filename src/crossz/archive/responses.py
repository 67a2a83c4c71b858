"""What a response says: its status, the range that it holds, its error in words."""

import email.utils
import json
import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3

from crossz.core.errors import CrosszError, Refused

_AGAIN = {408, 425, 429}


class Reply(NamedTuple):
    """One complete body of a server that said 200 (206 to a range).

    Attributes
    ----------
    url
        Where it came from.
    body
        The bytes, or what `consume` of `http.Client.fetch` made of them.
    headers
        Those of the response.
    """

    url: str
    body: Any
    headers: "requests.structures.CaseInsensitiveDict[str]"


class Missing(Exception):
    """Every mirror says that there is no such file (404)."""


class Denied(Exception):
    """The server wants a (newer) login (401, 403)."""


class Unranged(Exception):
    """The server does not give ranges of this file as asked: it ignores them, or the file changed between two of them."""


class Again(Exception):
    """An attempt failed in a way that another attempt may mend; `wait`: seconds that the server asked for."""

    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


def check_status(response: requests.Response, secret: bool) -> None:
    """Return if the status is 200 or 201.

    Parameters
    ----------
    response
        A response of which only the headers have been read.
    secret
        Nothing of the body goes into an error.

    Raises
    ------
    Missing, Denied
        404 or 410; 401 or 403.
    Again
        A status after which a later attempt may succeed.
    errors.Refused
        A service's own error, such as a query that it cannot run.
    errors.CrosszError
        Any other status.
    """
    status, words = response.status_code, ""
    if status in (200, 201):
        return
    if not secret and status not in (401, 403, 404, 410):
        words = _words(response.raw.read(16_000))
    if status in (404, 410):
        raise Missing(f"{_public(response.url)} (HTTP {status})")
    if status in (401, 403):
        raise Denied(f"{_public(response.url)} (HTTP {status})")
    if status >= 500 and words:
        raise Refused(f"HTTP {status}: {words}")
    if status in _AGAIN or status >= 500:
        raise Again(f"HTTP {status}", _seconds(response.headers.get("Retry-After")))
    raise CrosszError(f"{_public(response.url)}: HTTP {status}{f': {words}' if words else ''}")


def checked_range(parts: Iterator[bytes], response: requests.Response, span: tuple[int, int]) -> Iterator[bytes]:
    """Yield the `parts` of an answer to a request for the bytes `span`, [start, stop).

    Raises
    ------
    Unranged
        The answer is no range.
    errors.Refused
        It is another range, or has another number of bytes.
    """
    if response.status_code != 206:
        raise Unranged(f"status {response.status_code} instead of a range")
    header = response.headers.get("Content-Range", "")
    start, stop, size = range_of(header)
    if (start, stop) != (span[0], min(span[1], size)):
        raise Refused(f"the range {header!r} instead of bytes {span[0]}-{span[1] - 1}")
    count = 0
    for part in parts:
        count += len(part)
        yield part
    if count != stop - start:
        raise Refused(f"{count} bytes of a range of {stop - start}")


def range_of(header: str) -> tuple[int, int, int]:
    """(start, stop, size of the complete file) of a Content-Range header. Raises Refused when it is none."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", header)
    if match is None:
        raise Refused(f"no valid Content-Range but {header!r}")
    return int(match[1]), int(match[2]) + 1, int(match[3])


def host_name(url: str) -> str:
    """Host and port of an address, without a user's name or a query."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def in_words(error: Exception) -> str:
    """The kind and the innermost text of a network error: requests and urllib3 nest them and print addresses of objects."""
    inner: BaseException = error
    while inner.args and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return "silence"
    if isinstance(error, requests.ConnectionError):
        return f"no connection ({type(inner).__name__})"
    return f"connection broke ({type(inner).__name__})"


def _words(body: bytes) -> str:
    # What an error says as JSON or, CDS's, as a VOTable; nothing of another body, which is an HTML page.
    if status := re.search(rb'QUERY_STATUS"[^>]*>\s*(?:Message:)?(.*?)(?:Trace:|<)', body, re.DOTALL):
        return " ".join(status[1].decode("utf-8", "replace").split())[:300]
    try:
        return " ".join(str(json.loads(body)["ErrorMessage"]).split())[:300]
    except (ValueError, KeyError, TypeError):
        return ""


def _seconds(retry_after: str | None) -> float | None:
    # A Retry-After header, seconds or a date, as seconds from now.
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    date = email.utils.parsedate_tz(retry_after)
    return None if date is None else max(email.utils.mktime_tz(date) - time.time(), 0.0)


def _public(url: str) -> str:
    return f"{urlsplit(url).scheme}://{host_name(url)}{urlsplit(url).path}"
