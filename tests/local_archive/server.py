"""The server itself: connections, the fault that befalls a request, and how an answer is sent, well or badly."""

import collections
import re
import select
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from .casjobs import CasJobs
from .exchange import Answer, Request, form_fields, not_found
from .faults import ALTERED, INSTEAD, RANGED, Fault, check_kind
from .login import Login
from .sas import Sas, ranged
from .skyserver import SkyServer
from .xmatch import XMatch

_PIECE = 1 << 16  # bytes handed to a connection at once
_BEGINNING = 1000  # bytes sent before a connection goes silent or is reset


@dataclass
class Hit:
    """One request, noted when it arrives, and what was sent.

    `status` is None while nothing has been sent. `complete`: every byte that the headers promise has been handed to the
    connection. Both and `bytes_sent` (of the body) are right as soon as the client has read the answer.
    """

    method: str
    path: str
    sql: str | None
    fault: str | None = None
    status: int | None = None
    bytes_sent: int = 0
    complete: bool = False
    time: float = field(default_factory=time.time)


class Service(Protocol):
    """What answers the requests below a path."""

    def answer(self, request: Request) -> Answer:
        """The honest answer."""


def _first(query: str) -> dict[str, str]:
    # The first value of each parameter.
    return {name: values[0] for name, values in parse_qs(query).items()}


class _Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, has them answered, and sends the answers, well or badly."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def do_GET(self) -> None:
        request = self._request()
        self.hit = Hit(request.method, request.path, request.sql)
        self._place = "/" + request.path.split("/")[1]
        self._left = False
        self.server.enter(self.hit, self._place)
        try:
            self._respond(request)
        except OSError:  # the client has left
            self.hit.complete = False
            self.close_connection = True
        finally:
            self._leave()
            self.server.log(self.hit)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def log_message(self, *_: Any) -> None:
        """What is worth telling is in the hits."""

    def _request(self) -> Request:
        # The body is read in any case, or the next request on this connection would start within it.
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        kind, form = self.headers.get_content_type(), {}
        if kind == "application/x-www-form-urlencoded":
            form = _first(body.decode("utf-8", "replace"))
        elif kind == "multipart/form-data":
            form = form_fields(self.headers["Content-Type"], body)
        path = unquote(parts.path)
        return Request(self.command, self.path, path, _first(parts.query), form, self.headers, body)

    def _respond(self, request: Request) -> None:
        fault = self.server.take_fault(request)
        kind, value = (fault.kind, fault.value) if fault else (None, None)
        self.hit.fault = kind
        if kind == "refuse" or (kind == "delay" and not self._silence(1 if value is None else value)):
            self.close_connection = True
            return
        answer = INSTEAD[kind](value) if kind in INSTEAD else self.server.answer(request)
        if kind in ALTERED and answer.status == 200:
            answer = ALTERED[kind](answer, value)
        full = answer
        if self.command == "GET":
            answer = ranged(answer, self.headers)
        if kind in RANGED and answer.status == 206:
            answer = RANGED[kind](answer, full, value)
        if kind in _BROKEN:
            self.close_connection = True
            _BROKEN[kind](self, answer, value)
        else:
            self.send(answer)

    def send(self, answer: Answer) -> None:
        """The answer as it should be sent."""
        body = b"" if self.command == "HEAD" else answer.body
        # What the client may look at when it has the last byte is set before that byte goes out.
        if not body:
            self._finish()
        self.send_head(answer, {"Content-Length": len(answer.body)})
        for start in range(0, len(body), _PIECE):
            if start + _PIECE >= len(body):
                self._finish()
            self.write(body[start : start + _PIECE])

    def send_head(self, answer: Answer, more: dict[str, object]) -> None:
        """Status and headers."""
        self.hit.status = answer.status
        self.send_response(answer.status)
        for name, value in ({"Content-Type": answer.kind} | answer.headers | more).items():
            self.send_header(name, str(value))
        self.end_headers()

    def write(self, part: bytes) -> None:
        """A part of the body; nothing after a HEAD."""
        if self.command == "HEAD":
            return
        self.hit.bytes_sent += len(part)
        try:
            self.wfile.write(part)
        except OSError:
            self.hit.bytes_sent -= len(part)
            raise

    def cut_length(self, answer: Answer, _: Any) -> None:
        self.send_head(answer, {"Content-Length": len(answer.body), "Connection": "close"})
        self.write(answer.body[: len(answer.body) // 2])

    def cut_chunked(self, answer: Answer, _: Any) -> None:
        self.send_head(answer, {"Transfer-Encoding": "chunked", "Connection": "close"})
        half = answer.body[: len(answer.body) // 2]
        self.write(b"%x\r\n%b\r\n" % (len(half), half))

    def cut_no_length(self, answer: Answer, _: Any) -> None:
        self.send_head(answer, {"Connection": "close"})
        self.write(answer.body[: len(answer.body) // 2])

    def stall(self, answer: Answer, value: Any) -> None:
        self._send_beginning(answer)
        self._silence(3600 if value is None else value)

    def slow(self, answer: Answer, _: Any) -> None:
        self.send_head(answer, {"Content-Length": len(answer.body), "Connection": "close"})
        for at in range(len(answer.body)):
            self.write(answer.body[at : at + 1])
            if not self._silence(1):
                return
        self._finish()

    def reset(self, answer: Answer, _: Any) -> None:
        self._send_beginning(answer)
        self._leave()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())  # an ordinary close would say goodbye first

    def _send_beginning(self, answer: Answer) -> None:
        self.send_head(answer, {"Content-Length": len(answer.body), "Connection": "close"})
        self.write(answer.body[: min(_BEGINNING, len(answer.body) // 2)])

    def _silence(self, seconds: float) -> bool:
        """Send nothing for so long; False as soon as the client has gone or the server stops."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.server.stopping.wait(min(left, 0.05)):
                return False
            if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                return False
        return True

    def _finish(self) -> None:
        self.hit.complete = True
        self._leave()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self.server.leave(self._place)


_BROKEN: dict[str, Callable[[_Handler, Answer, Any], None]] = {
    "cut_length": _Handler.cut_length,
    "cut_chunked": _Handler.cut_chunked,
    "cut_no_length": _Handler.cut_no_length,
    "stall": _Handler.stall,
    "slow": _Handler.slow,
    "reset": _Handler.reset,
}


class Server(socketserver.ThreadingTCPServer):
    """The running archive; made by `serve`.

    `url`: its address. `hits`: every request so far, in order. `faults`: change this list at will; the first that matches a
    request and has `times` left is taken, and its `times` goes down by one. `peak`: greatest number of requests under way at
    once, by the first part of their path ("/sas").
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, port: int, services: dict[str, Service], faults: Sequence[Fault]):
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.hits: list[Hit] = []
        self.faults = list(faults)
        self.peak: dict[str, int] = {}
        self.log: Callable[[Hit], None] = lambda hit: None
        self.stopping = threading.Event()
        self._services = services
        self._active: collections.Counter[str] = collections.Counter()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """What the service that the path belongs to says."""
        for pattern, service in self._services.items():
            if re.match(pattern, request.path):
                return service.answer(request)
        return not_found()

    def take_fault(self, request: Request) -> Fault | None:
        """The fault that befalls this request. Raises ValueError when its kind is unknown."""
        with self._lock:
            for at, fault in enumerate(self.faults):
                texts = (f"{request.method} {request.target}", request.sql or "")
                if fault.times == 0 or not any(re.search(fault.path, text) for text in texts):
                    continue
                check_kind(fault)
                if fault.times is not None:
                    with suppress(IndexError):  # the list may have been emptied at this very moment
                        self.faults[at] = fault._replace(times=fault.times - 1)
                return fault
        return None

    def enter(self, hit: Hit, place: str) -> None:
        """A request has come in."""
        with self._lock:
            self.hits.append(hit)
            self._active[place] += 1
            self.peak[place] = max(self.peak.get(place, 0), self._active[place])

    def leave(self, place: str) -> None:
        """It has been answered."""
        with self._lock:
            self._active[place] -= 1

    def process_request(self, request: socket.socket, client_address: Any) -> None:
        """A connection has come in."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:
        """It is over."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: socket.socket, client_address: Any) -> None:
        """A client that leaves is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """End all connections, whatever they are at."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # it may have ended by itself
                    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serve(
    database: Path | None,
    sas: Sequence[Path],
    *,
    port: int = 0,
    faults: Sequence[Fault] = (),
    token_user: str = "user",
    token_password: str = "password",
    job_seconds: float = 0.0,
    max_rows: int = 500_000,
    queries_per_minute: int | None = None,
    vizier: Mapping[str, Any] | None = None,
) -> Iterator[Server]:
    """Serve the SQLite file `database` and the files of the folders `sas` (the first that has one) while the context lasts.

    `port` 0: any free one. `job_seconds`: how long a CasJobs job takes after its table has half its rows. SkyServer cuts an
    answer at `max_rows` without a word, and rejects more than `queries_per_minute`. `vizier`: the tables of CDS XMatch.
    Raises OSError when the port is taken, ValueError when a fault's kind is unknown.
    """
    for fault in faults:
        check_kind(fault)
    tokens: set[str] = set()
    casjobs = CasJobs(database, job_seconds, tokens)
    skyserver = SkyServer(database, max_rows, queries_per_minute)
    services = {  # IIS, which serves all but the files, does not tell capitals from small letters
        r"(?i)/dr17/SkyServerWS/SearchTools/(SqlSearch|CrossIdSearch)$": skyserver,
        r"(?i)/dr17/en/tools/search/x_results\.aspx$": skyserver,
        r"(?i)/login-portal/keystone/v3/tokens$": Login(token_user, token_password, tokens),
        r"(?i)/CasJobs/RestApi/": casjobs,
        r"/sas/": Sas(sas),
        r"/xmatch/api/v1/sync": XMatch(vizier or {}),
    }
    with closing(casjobs), Server(port, services, faults) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        try:
            yield server
        finally:
            server.stop()
