"""The only way to a network: requests within limits, with retries, mirrors, a least rate, and hosts left alone that fail.

Nothing that a server says is believed by itself. Every body goes through the caller's `accept`, which checks it and makes
something of it. What `accept` refuses (errors.Refused), and whatever else it or a header provokes, is asked for again,
from the next mirror, until attempts or time run out. A pause is the mirror's that failed or asked for it; the others are
asked meanwhile.
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

from crossz.archive import by_hand
from crossz.archive.connections import Exchange, Session
from crossz.archive.mirrors import Mirror, Progress
from crossz.archive.responses import (
    ROWS,
    Again,
    Denied,
    Missing,
    Reply,
    Unranged,
    check_status,
    checked_range,
    content_length,
    host_name,
    lost,
)
from crossz.core.addresses import is_address, without_login
from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import refusing
from crossz.core.text import printable

log = logging.getLogger(__name__)

T = TypeVar("T")
_ANSWERS = (Missing, Denied, Again, Unranged)  # what is no fault of parsing
_LONGEST_PAUSE = 120.0  # seconds between two attempts, unless a server asks for more
_BREAK_AFTER = 8  # failures of one host in a row, after which it is left alone
_REST = 15  # pauses (Limits.pause_s) for which a host that failed so often is left alone
_LOST = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)  # an exchange that failed
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
    """Time is up, or the only attempt of `once` failed. The request may or may not have been served."""


@dataclass
class _Host:
    # What is known of a host, shared by all threads of a client.
    slots: threading.BoundedSemaphore
    failures: int = 0
    closed_until: float = 0.0


@dataclass(frozen=True)
class _Request:
    # How one file is asked for, the same at every mirror.
    method: str
    first_byte_s: float | None
    secret: bool
    span: tuple[int, int] | None
    most: int
    consume: Callable[[Iterator[bytes]], Any]
    options: dict[str, Any]


@dataclass(frozen=True)
class _Attempt:
    # One request to one mirror, given up at `end`; `begun`: its body comes; `over`: nobody waits for it any more.
    end: float
    begun: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


class Client:
    """Fetches bodies within `limits`; one for a job, used by its threads. Close it, or use it as a context."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._session = Session(limits.connections)

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
        most: int = ROWS,
        consume: Callable[[Iterator[bytes]], Any] = b"".join,
        **options: Any,
    ) -> T:
        """`accept` of the body at one of `urls`, the same file on several mirrors, asked in turn.

        Until `deadline_s`, with growing random pauses and at least as long as a Retry-After says, a mirror is asked again
        after: no connection, 408, 425, 429, 5xx, a short body, silence for `timeout_s`, a body slower than
        `min_rate_kB_s`, more than its share of the time. What is refused is asked for `attempts` times per mirror.

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
        most
            Bytes of the largest body of this kind; more is refused.
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
            Another final status, an unknown host or a certificate that is not accepted, of the last mirror left; or none of
            `urls` is an address.
        Damaged
            The bodies stay refused.
        Unanswered
            Time is up, or the only attempt of `once` failed.
        """
        request = _Request(method, first_byte_s, secret, span, most, consume, options)
        known = [url for url in urls if is_address(url) and without_login(url) == url]
        if odd := [url for url in urls if url not in known]:
            words = f"{what}: {without_login(printable(odd[0], 100))!r} is no address, or has a login; write https://HOST/PATH"
            if not known:
                raise CrosszError(words)
            log.info(words)
        try:
            return self._fetch(known, what, accept, remedy, request, once)
        except (Missing, Denied, CrosszError) as error:
            # That a file does not exist is an answer; that a service does not, is a wrong address.
            if not secret and (first_byte_s is not None or not isinstance(error, Missing)):
                log.info(f"{what}: to try the same by hand: {by_hand.line(method, known[0], span, options)}")
            raise

    def _fetch(
        self, urls: Sequence[str], what: str, accept: Callable[[Reply], T], remedy: str, request: _Request, once: bool
    ) -> T:
        end = time.monotonic() + max(self.limits.deadline_s, 2 * (request.first_byte_s or 0))
        mirrors = [Mirror(url) for url in dict.fromkeys(urls)]
        progress = Progress(what, mirrors, len(mirrors))
        while (mirror := self._next(progress, end)) is not None:
            progress.attempts += 1
            host = self._host(mirror.url)
            try:
                with host.slots:
                    if (left := end - time.monotonic()) <= 0:
                        raise Again("no connection to it was free in time")
                    reply = self._bounded(mirror.url, request, left / len(progress.left))
                with refusing("an answer that cannot be read", (*_ANSWERS, OSError), request.secret):
                    result = accept(reply)
                host.failures = 0
                return result
            except (Missing, Denied, CrosszError) as error:
                if progress.final(mirror, error):
                    break
                continue
            except (Refused, Again) as error:
                self._failed(progress, mirror, error)
            if once or self._stop.is_set():
                break
        reasons = "; ".join(dict.fromkeys(progress.reasons[-4:]))  # each reason once, in order
        kind = Damaged if progress.refused and not progress.left else Unanswered
        raise kind(f"{what}: not fetched after {progress.attempts} attempt(s): {reasons}. {remedy}")

    def _failed(self, progress: Progress, mirror: Mirror, error: Refused | Again) -> None:
        """Note a failure, and let its mirror rest; one that was refused `attempts` times is not asked again."""
        progress.note(mirror, error)
        mirror.failures += 1
        mirror.refusals += isinstance(error, Refused)
        if mirror.refusals >= self.limits.attempts:
            progress.left.remove(mirror)
            progress.refused = True
        pause = min(self.limits.pause_s * 2 ** min(mirror.failures - 1, 16), _LONGEST_PAUSE) * _jitter.uniform(0.5, 1)
        now = time.monotonic()
        mirror.ready = now + max(pause, getattr(error, "wait", None) or 0.0)
        host = self._host(mirror.url)
        with self._lock:
            host.failures += 1
            if host.failures >= _BREAK_AFTER:
                host.failures, host.closed_until = 0, now + _REST * self.limits.pause_s

    def _next(self, progress: Progress, end: float) -> Mirror | None:
        """The next mirror in turn that may be asked; waits until one may. None if none may before the deadline."""
        while left := progress.left:
            now = time.monotonic()
            turn = progress.attempts % len(left)
            ready = {
                mirror: max(mirror.ready, self._host(mirror.url).closed_until) for mirror in left[turn:] + left[:turn]
            }
            first = next((mirror for mirror in ready if ready[mirror] <= now), None)
            until = min(ready.values())
            if max(until, now) > end:
                progress.reasons.append(
                    f"the next attempt would be beyond the deadline of {self.limits.deadline_s:g} s"
                )
                return None
            if progress.reasons:
                then = f"again in {until - now:.1f} s" if first is None else f"now asking {host_name(first.url)}"
                log.info(f"{progress.what}: {progress.reasons[-1]}; {then}")
            if first is not None:
                return first
            if self._stop.wait(until - now):
                return None
        return None

    def _host(self, url: str) -> _Host:
        with self._lock:
            return self._hosts.setdefault(
                urlsplit(url).netloc, _Host(threading.BoundedSemaphore(self.limits.connections))
            )

    def _bounded(self, url: str, request: _Request, seconds: float) -> Reply:
        """`_once` within `seconds`: headers that trickle in would hold it for ever, since each byte counts as life."""
        attempt = _Attempt(time.monotonic() + seconds)
        future: Future[Reply] = Future()

        def work() -> None:
            try:
                future.set_result(self._once(url, request, attempt))
            except BaseException as error:
                future.set_exception(error)
            finally:
                attempt.begun.set()

        exchange = Exchange(work)
        exchange.start()
        patience = min(seconds, self.limits.timeout_s + (request.first_byte_s or self.limits.timeout_s))
        try:
            if not attempt.begun.wait(patience):
                raise Again(f"no complete headers within {patience:.0f} s")
            return future.result(max(attempt.end - time.monotonic(), 0.0) + 1)
        except FutureTimeout:
            raise Again(f"not complete within {seconds:.0f} s") from None
        finally:
            attempt.over.set()
            if not future.done():
                exchange.cut()

    def _once(self, url: str, request: _Request, attempt: _Attempt) -> Reply:
        timeout = min(self.limits.timeout_s, max(attempt.end - time.monotonic(), 0.1))
        options, span = request.options, request.span
        follow = request.method == "GET" and "headers" not in options
        if span is not None:
            headers = {"Range": f"bytes={span[0]}-{span[1] - 1}"} | options.get("headers", {})
            options = options | {"headers": headers}
        try:
            with (
                refusing("an answer that cannot be read", (*_ANSWERS, *_LOST), request.secret),
                self._session.request(
                    request.method,
                    url,
                    stream=True,
                    timeout=(timeout, request.first_byte_s or timeout),
                    allow_redirects=follow,
                    **options,
                ) as response,
            ):
                if span is None or response.status_code != 206:
                    check_status(response, request.secret)
                attempt.begun.set()
                parts = self._parts(response, request, attempt)
                if span is not None:
                    parts = checked_range(parts, response, span)
                return Reply(url, request.consume(parts), response.headers)
        except _LOST as error:
            raise lost(error) from error
        except Refused:
            if request.secret:
                raise Refused("an answer with odd headers") from None
            raise

    def _parts(self, response: requests.Response, request: _Request, attempt: _Attempt) -> Iterator[bytes]:
        length = content_length(response.headers)
        if length is not None and length > request.most:
            raise Refused(f"{length:,} bytes, where {request.most:,} are the most")
        connection = response.raw.connection
        if connection is not None and connection.sock is not None:
            connection.sock.settimeout(self.limits.timeout_s)  # after the patience for the first byte
        start, size = time.monotonic(), 0
        while size != length and (part := response.raw.read1(1 << 16)):
            size += len(part)
            now = time.monotonic()
            if size > request.most:
                raise Refused(f"more than {request.most:,} bytes")
            if self._stop.is_set() or attempt.over.is_set():
                raise Again("this job is ending")
            if now > attempt.end:
                raise Again(f"not complete within its time ({size} bytes came)")
            slow = self.limits.min_rate_kB_s * 1000 * (now - start)
            if now - start > self.limits.timeout_s and size < slow:
                raise Again(f"slower than {self.limits.min_rate_kB_s:g} kB/s ({size} bytes in {now - start:.0f} s)")
            yield part
        if length is not None and length != size:
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
