"""The only way to a network: requests within limits, with retries, mirrors, a least rate, and hosts left alone that fail.

Nothing that a server says is believed by itself. Every body goes through the caller's `accept`, which checks it and makes
something of it. What `accept` refuses (errors.Refused) is asked for again, from the next mirror, until attempts or time
run out.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from crossz.archive.responses import Again, Denied, Missing, Reply, check_status, checked_range, host_name, in_words
from crossz.core.errors import CrosszError, Refused

log = logging.getLogger(__name__)

T = TypeVar("T")
_LARGEST = 2 << 30  # bytes of one body; a server that never ends is cut off here
_LONGEST_PAUSE = 120.0  # seconds between two attempts, unless a server asks for more
_BREAK_AFTER = 8  # failures of one host in a row, after which it is left alone
_REST = 15  # pauses (Limits.pause_s) for which a host that failed so often is left alone
_jitter = random.SystemRandom()


class Limits(NamedTuple):
    """How patient a client is.

    Attributes
    ----------
    attempts
        Looks at a wrong body, per mirror.
    timeout_s
        Seconds of silence.
    deadline_s
        Seconds for a file in all.
    pause_s
        The first pause between two attempts, in seconds; it doubles each time.
    min_rate_kB_s
        The slowest body that is waited for.
    connections
        Requests of one host at the same time.
    """

    attempts: int
    timeout_s: float
    deadline_s: float
    pause_s: float
    min_rate_kB_s: float
    connections: int


class Damaged(CrosszError):
    """Every mirror keeps sending something else than was asked for."""


class Unanswered(CrosszError):
    """Time or attempts are used up without a complete answer; the request may or may not have been served."""


@dataclass
class _Host:
    # What is known of a host, shared by all threads of a client.
    slots: threading.BoundedSemaphore
    failures: int = 0
    closed_until: float = 0.0


@dataclass(frozen=True)
class _Request:
    # How one file is asked for, the same at every mirror; `end`: the time when it is given up.
    method: str
    first_byte_s: float | None
    secret: bool
    span: tuple[int, int] | None
    consume: Callable[[Iterator[bytes]], Any]
    options: dict[str, Any]
    end: float


@dataclass
class _Progress:
    # What has become of a file's attempts so far; `left`: the mirrors that have not said their last word.
    left: list[str]
    mirrors: int
    reasons: list[str] = field(default_factory=list)
    missing: int = 0
    refusals: int = 0
    attempts: int = 0

    def final(self, url: str, error: Exception, what: str) -> bool:
        """Note a mirror's final answer. Returns True if no mirror is left. Raises the error if it was the last mirror."""
        self.left.remove(url)
        self.missing += isinstance(error, Missing)
        self.reasons.append(f"{host_name(url)}: {error}")
        if self.left:
            return False
        if isinstance(error, CrosszError):
            raise CrosszError(f"{what}: {error}") from error
        if isinstance(error, Denied) or self.missing == self.mirrors:
            raise error
        return True


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
        self.close()

    def close(self) -> None:
        """End all requests."""
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
        consume: Callable[[Iterator[bytes]], Any] = b"".join,
        **options: Any,
    ) -> T:
        """`accept` of the body at one of `urls`, the same file on several mirrors, asked in turn.

        Until `deadline_s`, with growing random pauses and at least as long as a Retry-After says, it is asked again after:
        no connection, 408, 425, 429, 5xx, a short body, silence for `timeout_s`, a body slower than `min_rate_kB_s`. What
        `accept` refuses is asked for `attempts` times per mirror.

        Parameters
        ----------
        urls
            The same file on several mirrors.
        what, remedy
            Named in errors.
        accept
            Checks a reply and makes something of it; it may raise Refused.
        method
            Of HTTP.
        first_byte_s
            Seconds of silence before the body starts; `timeout_s` if None.
        once
            Ask a single time: for requests that are not to be repeated.
        secret
            Nothing of an answer goes into an error.
        span
            Only the bytes [start, stop) are asked for. Another range, or another number of bytes, is refused.
        consume
            Makes Reply.body of the body's parts as they come. It may leave the rest, and may raise Refused.
        **options
            Go to requests (data, json, headers, params). A request with headers of its own follows no redirect, since
            they may hold a token.

        Raises
        ------
        Unranged
            The complete file comes instead of a `span`.
        Missing
            All mirrors say 404.
        Denied
            401 or 403 of the last mirror left.
        errors.CrosszError
            Another final status of the last mirror left.
        Damaged
            The bodies stay refused.
        Unanswered
            Time is up.
        """
        end = time.monotonic() + max(self.limits.deadline_s, 2 * (first_byte_s or 0))
        request = _Request(method, first_byte_s, secret, span, consume, options, end)
        progress = _Progress(list(dict.fromkeys(urls)), len(set(urls)))
        while (url := self._choose(progress, end)) is not None:
            wait: float | None = None
            progress.attempts += 1
            try:
                with self._host(url).slots:
                    reply = self._bounded(url, request)
                result = accept(reply)
                self._host(url).failures = 0
                return result
            except (Missing, Denied, CrosszError) as error:
                if progress.final(url, error, what):
                    break
                continue
            except (Refused, Again) as error:
                wait = getattr(error, "wait", None)
                progress.refusals += isinstance(error, Refused)
                progress.reasons.append(f"{host_name(url)}: {error}")
                self._count_failure(url)
            if once or self._stop.is_set() or progress.refusals >= self.limits.attempts * len(progress.left):
                break
            if not self._pause(progress, wait, end, what):
                break
        reasons = "; ".join(dict.fromkeys(progress.reasons[-4:]))  # each reason once, in order
        kind = Damaged if progress.refusals >= self.limits.attempts * max(len(progress.left), 1) else Unanswered
        raise kind(f"{what}: not fetched after {progress.attempts} attempt(s): {reasons}. {remedy}")

    def _pause(self, progress: _Progress, wait: float | None, end: float, what: str) -> bool:
        """Wait before the next attempt, at least `wait` seconds; False if that would be beyond the deadline."""
        doublings = min((progress.attempts - 1) // len(progress.left), 16)
        pause = min(self.limits.pause_s * 2**doublings, _LONGEST_PAUSE)
        pause = max(pause * _jitter.uniform(0.5, 1), wait or 0.0)
        if time.monotonic() + pause > end:
            reason = f"the next attempt would be beyond the deadline of {self.limits.deadline_s:g} s"
            progress.reasons.append(reason)
            return False
        log.info(f"{what}: {progress.reasons[-1]}; again in {pause:.1f} s")
        self._stop.wait(pause)
        return True

    def _choose(self, progress: _Progress, end: float) -> str | None:
        """The next mirror in turn whose host is not being left alone; waits for a host if there is none."""
        urls = progress.left
        while True:
            now = time.monotonic()
            ordered = [urls[(progress.attempts + k) % len(urls)] for k in range(len(urls))]
            resting = {url: self._host(url).closed_until for url in ordered}
            for url in ordered:
                if resting[url] <= now:
                    return url
            until = min(resting.values())
            if until > end or self._stop.wait(until - now):
                progress.reasons.append("no mirror that answers within the deadline")
                return None

    def _host(self, url: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(
                urlsplit(url).netloc, _Host(threading.BoundedSemaphore(self.limits.connections))
            )

    def _count_failure(self, url: str) -> None:
        host = self._host(url)
        with self._lock:
            host.failures += 1
            if host.failures >= _BREAK_AFTER:
                host.closed_until = time.monotonic() + _REST * self.limits.pause_s

    def _bounded(self, url: str, request: _Request) -> Reply:
        """`_once`, given up at the deadline: headers that trickle in would hold it for ever, since each byte counts as life."""
        future: Future[Reply] = Future()

        def work() -> None:
            try:
                future.set_result(self._once(url, request))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            return future.result(max(request.end - time.monotonic(), 0.0) + 1)
        except FutureTimeout:
            raise Again("no complete answer within the deadline") from None

    def _once(self, url: str, request: _Request) -> Reply:
        timeout = min(self.limits.timeout_s, max(request.end - time.monotonic(), 0.1))
        options, span = request.options, request.span
        follow = request.method == "GET" and "headers" not in options
        if span is not None:
            headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} | options.get("headers", {})
            options = options | {"headers": headers}
        try:
            with self._session.request(
                request.method,
                url,
                stream=True,
                timeout=(timeout, request.first_byte_s or timeout),
                allow_redirects=follow,
                **options,
            ) as response:
                if span is None or response.status_code != 206:
                    check_status(response, request.secret)
                parts = self._parts(response, request.end)
                if span is not None:
                    parts = checked_range(parts, response, span)
                return Reply(url, request.consume(parts), response.headers)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Again(in_words(error)) from error

    def _parts(self, response: requests.Response, end: float) -> Iterator[bytes]:
        connection = response.raw.connection
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(self.limits.timeout_s)  # after the patience for the first byte
        start, size = time.monotonic(), 0
        while part := response.raw.read1(1 << 16):
            size += len(part)
            now = time.monotonic()
            if size > _LARGEST:
                raise Again(f"a body of more than {_LARGEST} bytes")
            if self._stop.is_set():
                raise Again("this job is ending")
            if now > end:
                raise Again(f"not complete within the deadline ({size} bytes came)")
            slow = self.limits.min_rate_kB_s * 1000 * (now - start)
            if now - start > self.limits.timeout_s and size < slow:
                raise Again(f"slower than {self.limits.min_rate_kB_s:g} kB/s ({size} bytes in {now - start:.0f} s)")
            yield part
        length = response.headers.get("Content-Length")
        if length is not None and length.strip() != str(size):
            raise Again(f"cut short: {size} of {length} bytes")


def limits(archive: dict[str, Any]) -> Limits:
    """The limits that the configuration's `archive` block sets."""
    return Limits(**{name: archive[name] for name in Limits._fields})


@contextmanager
def service_client(backend: str, archive: dict[str, Any]) -> Iterator[Client]:
    """A client of the service `backend`, whose address is in `archive`, the block of the configuration.

    Raises
    ------
    errors.CrosszError
        The service says 404 or wants a login that it is not given: its address is wrong.
    """
    with Client(limits(archive)) as client:
        try:
            yield client
        except (Missing, Denied) as error:
            raise CrosszError(f"{backend} does not serve {error}; is archive.{backend} the right address?") from error
