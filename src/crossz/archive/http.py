"""The one way to a network: bounded requests with retries, mirrors, a rate floor, and a breaker a host.

Nothing that a server says is believed by itself: every body goes through the caller's `accept`, which checks it and makes
something of it. What `accept` refuses (errors.Refused) is asked for again, from the next mirror, until attempts or time run out.
"""

import email.utils
import json
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from crossz.core.errors import CrosszError, Refused

log = logging.getLogger(__name__)

T = TypeVar("T")
_LARGEST = 2 << 30  # bytes of one body; a server that never ends is cut off here
_LONGEST_PAUSE = 120.0  # seconds between two attempts, unless a server asks for more
_BREAK_AFTER = 8  # failures of one host in a row, after which it is left alone
_REST = 15  # pauses (Limits.pause_s) for which a host that failed so often is left alone
_AGAIN = {408, 425, 429}
_jitter = random.SystemRandom()


class Limits(NamedTuple):
    """How patient a client is: looks at a wrong body, seconds of silence, seconds a file in all, first pause, kB/s, threads."""

    attempts: int
    timeout_s: float
    deadline_s: float
    pause_s: float
    min_rate_kB_s: float
    connections: int


class Reply(NamedTuple):
    """One whole body of a server that said 200 (206 to a range), or what `consume` made of it."""

    url: str
    body: object
    headers: requests.structures.CaseInsensitiveDict


class Missing(Exception):
    """Every mirror says that there is no such file (404)."""


class Denied(Exception):
    """The server wants a (newer) login (401, 403)."""


class Damaged(CrosszError):
    """Every mirror keeps sending something else than was asked for."""


class Unranged(Exception):
    """The server does not give ranges of this file as asked: it ignores them, or the file changed between two of them."""


class Unanswered(CrosszError):
    """Time or attempts are used up without a whole answer; the request may or may not have been served."""


class _Again(Exception):
    # One attempt failed in a way that another may mend; `wait` is what the server asked for, in seconds.
    def __init__(self, reason: str, wait: float | None = None):
        super().__init__(reason)
        self.wait = wait


class _Host:
    # What is known of one host, shared by all threads of a client.
    def __init__(self, connections: int):
        self.slots = threading.BoundedSemaphore(connections)
        self.failures = 0
        self.closed_until = 0.0


class Client:
    """Fetches bodies within `limits`; one for a job, used by its threads. Close it, or use it as a context."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._session = requests.Session()
        self._session.headers.update({"User-Agent": "crossz", "Accept-Encoding": "identity"})
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=limits.connections)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._session.close()

    def fetch(
        self,
        urls: Sequence[str],
        what: str,
        accept: Callable[[Reply], T],
        remedy: str,
        *,
        method: str = "GET",
        first_byte_s: float | None = None,
        once: bool = False,
        secret: bool = False,
        span: tuple[int, int] | None = None,
        consume: Callable[[Iterator[bytes]], object] = b"".join,
        **request: object,
    ) -> T:
        """`accept` of the body at one of `urls`, the same file on several mirrors, asked in turn.

        Until `deadline_s`, with growing random pauses and at least as long as a Retry-After says, it is asked again after:
        no connection, 408, 425, 429, 5xx, a short body, silence for `timeout_s` (`first_byte_s` before the body starts), a
        body slower than `min_rate_kB_s`. What `accept` refuses is asked for `attempts` times per mirror. `once` asks a
        single time: for requests that are not to be repeated. `secret`: nothing of an answer goes into an error. `request`
        goes to requests (data, json, headers, params); one with headers of its own follows no redirect, since they may
        hold a token. `span`: only the bytes [start, stop) are asked for; another range, or another number of bytes, is refused. `consume` makes
        Reply.body of the body's parts as they come; it may leave the rest, and may raise Refused. Raises Unranged when the
        whole file comes instead of a `span`; Missing when all mirrors say 404; Denied on 401 or 403, and CrosszError on another final
        status, of the last mirror left; Damaged when the bodies stay refused; Unanswered when time is up. The last two
        name `what`, the last reasons and the `remedy`.
        """
        end = time.monotonic() + max(self.limits.deadline_s, 2 * (first_byte_s or 0))
        left, reasons, missing, refusals, attempt = list(dict.fromkeys(urls)), [], 0, 0, 0
        while True:
            url = self._choose(left, attempt, end)
            if url is None:
                reasons.append("no mirror that answers within the deadline")
                break
            wait, attempt = None, attempt + 1
            try:
                with self._host(url).slots:
                    reply = self._bounded(url, method, first_byte_s, end, secret, span, consume, request)
                result = accept(reply)
                self._host(url).failures = 0
                return result
            except (Missing, Denied, CrosszError) as error:  # this mirror has said its last word
                left.remove(url)
                missing += isinstance(error, Missing)
                reasons.append(f"{_name(url)}: {error}")
                if left:
                    continue
                if isinstance(error, CrosszError):
                    raise CrosszError(f"{what}: {error}") from error
                if isinstance(error, Denied) or missing == len(set(urls)):
                    raise
                break
            except (Refused, _Again) as error:
                wait = getattr(error, "wait", None)
                refusals += isinstance(error, Refused)
                self._count_failure(url)
                reasons.append(f"{_name(url)}: {error}")
            if once or self._stop.is_set() or refusals >= self.limits.attempts * len(left):
                break
            pause = min(self.limits.pause_s * 2 ** min((attempt - 1) // len(left), 16), _LONGEST_PAUSE)
            pause = max(pause * _jitter.uniform(0.5, 1), wait or 0.0)
            if time.monotonic() + pause > end:
                reasons.append(f"the next attempt would be beyond the deadline of {self.limits.deadline_s:g} s")
                break
            log.info(f"{what}: {reasons[-1]}; again in {pause:.1f} s")
            self._stop.wait(pause)
        told = "; ".join(dict.fromkeys(reasons[-4:]))  # each reason once, in order
        kind = Damaged if refusals >= self.limits.attempts * max(len(left), 1) else Unanswered
        raise kind(f"{what}: not fetched after {attempt} attempt(s): {told}. {remedy}")

    def _choose(self, urls: Sequence[str], attempt: int, end: float) -> str | None:
        # The next mirror in turn whose host is not being left alone; waits for one if there is none.
        while True:
            now = time.monotonic()
            ordered = [urls[(attempt + k) % len(urls)] for k in range(len(urls))]
            resting = {url: self._host(url).closed_until for url in ordered}
            for url in ordered:
                if resting[url] <= now:
                    return url
            until = min(resting.values())
            if until > end or self._stop.wait(until - now):
                return None

    def _host(self, url: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(urlsplit(url).netloc, _Host(self.limits.connections))

    def _count_failure(self, url: str) -> None:
        host = self._host(url)
        with self._lock:
            host.failures += 1
            if host.failures >= _BREAK_AFTER:
                host.closed_until = time.monotonic() + _REST * self.limits.pause_s

    def _bounded(self, url: str, *arguments: object) -> Reply:
        """`_once`, given up at the deadline: headers that trickle in would hold it for ever, since each byte counts as life."""
        end = arguments[2]
        future: Future[Reply] = Future()

        def work() -> None:
            try:
                future.set_result(self._once(url, *arguments))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            return future.result(max(end - time.monotonic(), 0.0) + 1)
        except FutureTimeout:
            raise _Again("no whole answer within the deadline") from None

    def _once(
        self,
        url: str,
        method: str,
        first_byte_s: float | None,
        end: float,
        secret: bool,
        span: tuple[int, int] | None,
        consume: Callable[[Iterator[bytes]], object],
        request: dict,
    ) -> Reply:
        timeout = min(self.limits.timeout_s, max(end - time.monotonic(), 0.1))
        follow = method == "GET" and "headers" not in request
        if span is not None:
            request = request | {"headers": {"Range": f"bytes={span[0]}-{span[1] - 1}"} | request.get("headers", {})}
        try:
            with self._session.request(
                method,
                url,
                stream=True,
                timeout=(timeout, first_byte_s or timeout),
                allow_redirects=follow,
                **request,
            ) as response:
                if span is None or response.status_code != 206:
                    _check_status(response, secret)
                parts = self._parts(response, end)
                if span is not None:
                    parts = _ranged(parts, response, span)
                return Reply(url, consume(parts), response.headers)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _Again(_in_words(error)) from error

    def _parts(self, response: requests.Response, end: float) -> Iterator[bytes]:
        connection = response.raw.connection
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(self.limits.timeout_s)  # after the patience for the first byte
        start, size = time.monotonic(), 0
        while part := response.raw.read1(1 << 16):
            size += len(part)
            now = time.monotonic()
            if size > _LARGEST:
                raise _Again(f"a body of more than {_LARGEST} bytes")
            if self._stop.is_set():
                raise _Again("this job is ending")
            if now > end:
                raise _Again(f"not whole within the deadline ({size} bytes came)")
            slow = self.limits.min_rate_kB_s * 1000 * (now - start)
            if now - start > self.limits.timeout_s and size < slow:
                raise _Again(f"slower than {self.limits.min_rate_kB_s:g} kB/s ({size} bytes in {now - start:.0f} s)")
            yield part
        told = response.headers.get("Content-Length")
        if told is not None and int(told) != size:
            raise _Again(f"cut short: {size} of {told} bytes")


def _ranged(parts: Iterator[bytes], response: requests.Response, span: tuple[int, int]) -> Iterator[bytes]:
    """The `parts` of an answer to a request for the bytes `span`. Raises Unranged, or Refused when it is another range."""
    if response.status_code != 206:
        raise Unranged(f"status {response.status_code} instead of a range")
    told = response.headers.get("Content-Range", "")
    start, stop, size = range_of(told)
    if (start, stop) != (span[0], min(span[1], size)):
        raise Refused(f"the range {told!r} instead of bytes {span[0]}-{span[1] - 1}")
    came = 0
    for part in parts:
        came += len(part)
        yield part
    if came != stop - start:
        raise Refused(f"{came} bytes of a range of {stop - start}")


def range_of(told: str) -> tuple[int, int, int]:
    """(start, stop, size of the whole file) of a Content-Range header. Raises Refused when it is none."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", told)
    if match is None:
        raise Refused(f"the range {told!r}")
    return int(match[1]), int(match[2]) + 1, int(match[3])


def _check_status(response: requests.Response, secret: bool) -> None:
    status, words = response.status_code, ""
    if status in (200, 201):
        return
    if not secret and status not in (401, 403, 404, 410):
        words = _words(response.raw.read(2000))
    if status in (404, 410):
        raise Missing(f"{_public(response.url)} (HTTP {status})")
    if status in (401, 403):
        raise Denied(f"{_public(response.url)} (HTTP {status})")
    if status >= 500 and words:
        raise Refused(f"HTTP {status}: {words}")  # a service's own error, such as a query that it cannot run
    if status in _AGAIN or status >= 500:
        raise _Again(f"HTTP {status}", _seconds(response.headers.get("Retry-After")))
    raise CrosszError(f"{_public(response.url)}: HTTP {status}{f': {words}' if words else ''}")


def _words(body: bytes) -> str:
    """What a JSON error says; nothing of another body, which is a page."""
    try:
        return " ".join(str(json.loads(body)["ErrorMessage"]).split())[:300]
    except (ValueError, KeyError, TypeError):
        return ""


def _seconds(retry_after: str | None) -> float | None:
    """A Retry-After header, seconds or a date, as seconds from now."""
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    date = email.utils.parsedate_tz(retry_after)
    return None if date is None else max(email.utils.mktime_tz(date) - time.time(), 0.0)


def _name(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def _public(url: str) -> str:
    return f"{urlsplit(url).scheme}://{_name(url)}{urlsplit(url).path}"


def _in_words(error: Exception) -> str:
    # requests and urllib3 nest their errors and print addresses of objects; the kind and the innermost text say it all.
    inner: BaseException = error
    while inner.args and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return "silence"
    if isinstance(error, requests.ConnectionError):
        return f"no connection ({type(inner).__name__})"
    return f"connection broke ({type(inner).__name__})"


def limits(archive: dict) -> Limits:
    """The limits that the configuration's `archive` block sets."""
    return Limits(**{name: archive[name] for name in Limits._fields})
