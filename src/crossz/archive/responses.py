"""What a response says: its status, the range that it holds, its error in words."""

import email.utils
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3

from crossz.core.addresses import without_login
from crossz.core.errors import CrosszError, Refused
from crossz.core.text import printable

ROWS = 128 << 20
"""Bytes of an SQL answer: 100,000 rows of 1.3 kB."""
PAGE = 4 << 20
"""Bytes of an answer in JSON or one line: a token, a job's state, the tables of MyDB."""
_ROW = 4096  # bytes of a row of an SQL answer, at most
_AGAIN = {408, 425, 429}
_UNASKED = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.TooManyRedirects,
    urllib3.exceptions.LocationValueError,
)  # an address that is none, or leads nowhere
_UNKNOWN_HOST = {getattr(socket, name, None) for name in ("EAI_NONAME", "EAI_NODATA")}


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


def most_of(rows: int | None) -> int:
    """Bytes of the largest SQL answer of so many rows; None: some, such as counts or the objects of a list."""
    return min(ROWS, PAGE + _ROW * (rows or 0))


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
        token = response.request.headers.get("X-Auth-Token")
        words = _words(response.raw.read(16_000)).replace(str(token or "\0"), "$TOKEN")
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
        if count > stop - start:
            break
        yield part
    if count != stop - start:
        raise Refused(
            f"{'more than ' * (count > stop - start)}{min(count, stop - start)} bytes of a range of {stop - start}"
        )


def range_of(header: str) -> tuple[int, int, int]:
    """(start, stop, size of the complete file) of a Content-Range header. Raises Refused when it is none."""
    match = re.fullmatch(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})", header)
    if match is None:
        raise Refused(f"no valid Content-Range but {header[:100]!r}")
    return int(match[1]), int(match[2]) + 1, int(match[3])


def host_name(url: str) -> str:
    """Host and port of an address, without a user's name or a query."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def content_length(headers: Mapping[str, str]) -> int | None:
    """The bytes that a body has to have; None where the headers do not say, as of one that comes in chunks.

    A list of the same number, again and again, is that number (RFC 9110, 8.6). Raises Refused for anything else.
    """
    length = headers.get("Content-Length")
    if length is None or "Transfer-Encoding" in headers:
        return None
    numbers = {part.strip() for part in length.split(",")}
    if len(numbers) > 1 or not re.fullmatch("[0-9]{1,15}", next(iter(numbers))):
        raise Refused(f"no valid Content-Length but {length[:100]!r}")
    return int(numbers.pop())


def lost(error: Exception) -> Exception:
    """What a failed exchange means, in words: requests and urllib3 nest their errors and print addresses of objects.

    Returns
    -------
    Exception
        CrosszError, if another attempt fails as well: an unknown host, a certificate that is not accepted. Refused, if
        what came cannot be read, or is no TLS. Again otherwise.
    """
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            words = printable(cause.verify_message or str(cause), 200)
            return CrosszError(
                f"its certificate is not accepted ({words}); where a proxy of yours signs, name its certificates in REQUESTS_CA_BUNDLE"
            )
        if isinstance(cause, socket.gaierror):
            if cause.errno in _UNKNOWN_HOST:
                return CrosszError(f"unknown host ({cause.strerror}); is its address right?")
            return Again(f"no connection (the name of its host cannot be looked up: {cause.strerror})")
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Refused(f"no TLS ({printable(str(cause), 200)})")
    inner = causes[-1]
    said = without_login(printable(str(error), 200))  # a proxy's login is a secret
    words = printable(getattr(inner, "strerror", None) or type(inner).__name__, 200)
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return Again("silence")
    if isinstance(error, requests.exceptions.InvalidProxyURL):
        return CrosszError(f"the proxy of the environment has no valid address ({said})")
    if isinstance(error, _UNASKED):
        return Refused(f"an address that cannot be asked: a redirect's, a proxy's or its own ({said})")
    if isinstance(error, ValueError):  # its text may hold a header, and that a token
        return Refused(f"headers that cannot be read ({type(error).__name__})")
    if isinstance(error, requests.exceptions.ProxyError):
        return Again(f"no connection through the proxy ({words})")
    if isinstance(error, requests.ConnectionError):
        return Again(f"no connection ({words})")
    return Again(f"connection broke ({words})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those within it, the innermost last."""
    seen: set[int] = set()
    inner: object = error
    while isinstance(inner, BaseException) and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        held = [part for part in (*inner.args[::-1], getattr(inner, "reason", None)) if isinstance(part, BaseException)]
        inner = held[0] if held else inner.__cause__ or inner.__context__


def _words(body: bytes) -> str:
    # What an error says as JSON or, CDS's, as a VOTable; nothing of another body, which is an HTML page.
    if status := re.search(rb'QUERY_STATUS"[^>]{0,200}>([^<]*)', body):
        words = status[1].decode("utf-8", "replace").strip().removeprefix("Message:")
        return printable(words.partition("Trace:")[0], 300)
    try:
        return printable(str(json.loads(body)["ErrorMessage"]), 300)
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def _seconds(retry_after: str | None) -> float | None:
    # A Retry-After header, seconds or a date, as seconds from now; None where it is neither.
    if retry_after is None:
        return None
    if re.fullmatch("[0-9]{1,15}", retry_after.strip()):
        return float(retry_after)
    try:
        date = email.utils.parsedate_tz(retry_after)
        return None if date is None else max(email.utils.mktime_tz(date) - time.time(), 0.0)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None


def _public(url: str) -> str:
    return f"{urlsplit(url).scheme}://{host_name(url)}{urlsplit(url).path}"
