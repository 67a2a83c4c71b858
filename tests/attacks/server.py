"""A server that says any bytes to crossz, an honest one beside it, and what must hold whatever the first one says."""

import contextlib
import json
import logging
import os
import re
import signal
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from attacks.harness import CANARY, Case
from crossz.apply.messages import messages_from

LATE_S = 30
"""Seconds after its deadline within which a request must have ended, also on a busy machine."""
_LINGER = struct.pack("ii", 1, 0)  # so closed, a connection is reset
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Urls(NamedTuple):
    """The addresses of the two servers, and which of them are the mirrors of a file."""

    evil: str
    good: str
    mirrors: list[str]


class Connection:
    """One connection of a client; `head` and `body` are those of its request, the `number`-th of the server."""

    def __init__(self, sock: socket.socket, urls: Urls):
        self._sock, self._rest, self.urls = sock, b"", urls
        self.head, self.body, self.number = b"", b"", 0

    @property
    def path(self) -> str:
        """What is asked for."""
        return self.head.split()[1].decode() if len(self.head.split()) > 1 else ""

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last byte of the range that is asked for."""
        found = re.search(rb"(?i)range: bytes=(\d+)-(\d+)", self.head)
        return (int(found[1]), int(found[2])) if found else None

    def read(self) -> bool:
        """Read the next request; False where there is none."""
        while b"\r\n\r\n" not in self._rest:
            if not (part := self._sock.recv(1 << 16)):
                return False
            self._rest += part
        self.head, _, rest = self._rest.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", self.head)
        size = int(length[1]) if length else 0
        while len(rest) < size and (part := self._sock.recv(1 << 16)):
            rest += part
        self.body, self._rest = rest[:size], rest[size:]
        return True

    def send(self, data: bytes) -> None:
        """Send bytes; in them, @GOOD@ and @EVIL@ are the addresses of the servers."""
        for name in ("good", "evil"):
            if len(data) < 1 << 16:
                data = data.replace(f"@{name.upper()}@".encode(), getattr(self.urls, name).encode())
        self._sock.sendall(data)

    def close(self, reset: bool = False) -> None:
        """End the connection, by a reset if asked for."""
        if reset:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        else:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


Answer = bytes | Callable[[Connection], object]
"""Bytes, after which the connection is closed, or what is done with a connection, which is kept."""


class AtOnce(NamedTuple):
    """What is done with a connection before it asks for anything."""

    act: Callable[[Connection], object]


class Server(NamedTuple):
    """How a server behaves."""

    answer: Answer | AtOnce
    context: ssl.SSLContext | None = None
    """That of TLS."""
    family: socket.AddressFamily = socket.AF_INET

    def listen(self) -> tuple[socket.socket, str]:
        """A listening socket, and the address of what listens there."""
        host = "127.0.0.1" if self.family == socket.AF_INET else "::1"
        listener = socket.create_server((host, 0), family=self.family, backlog=256)
        place = f"[{host}]" if ":" in host else host
        return listener, f"{'https' if self.context else 'http'}://{place}:{listener.getsockname()[1]}"


def answer(body: bytes | str = b"", status: str = "200 OK", **headers: object) -> bytes:
    """The bytes of an answer; `headers` may replace its length, or take it away by None."""
    body = body.encode() if isinstance(body, str) else body
    lines = {"Content-Length": len(body)} | {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


class Kept:
    """Sends bytes, and keeps the connection. What makes them does so once, in the server's process, before it is asked."""

    def __init__(self, content: bytes | Callable[[], bytes]):
        self._content = content

    def make(self) -> None:
        """Make the bytes."""
        if callable(self._content):
            self._content = self._content()

    def __call__(self, c: Connection) -> None:
        assert isinstance(self._content, bytes)
        c.send(self._content)


def forever(begin: bytes, more: bytes, pause: float = 0.001) -> Answer:
    """Send `begin`, and then `more` again and again."""

    def act(c: Connection) -> None:
        c.send(begin)
        while True:
            c.send(more)
            time.sleep(pause)

    return act


def holding(begin: bytes, seconds: float = 30) -> Answer:
    """Send `begin`, and then nothing."""
    return lambda c: (c.send(begin), time.sleep(seconds), c.close())


def dripping(content: bytes, pause: float, begin: bytes = b"") -> Answer:
    """Send `begin`, and then `content` byte by byte."""
    return lambda c: (c.send(begin), [(c.send(content[k : k + 1]), time.sleep(pause)) for k in range(len(content))])


def resetting(begin: bytes) -> Answer:
    """Send `begin`, and then reset the connection."""
    return lambda c: (c.send(begin), time.sleep(0.2), c.close(reset=True))


def _serve(servers: Mapping[str, tuple[Server, socket.socket]], urls: Urls, log: Path, ready: int) -> None:
    """Answer until the process is killed, and say when it can; each request goes into `log`, a list of JSON a line."""
    numbers = dict.fromkeys(servers, 0)
    lock, noted = threading.Lock(), open(log, "a", buffering=1)  # noqa: SIM115

    def note(name: str, c: Connection) -> None:
        with lock:
            numbers[name] += 1
            c.number = numbers[name]
            noted.write(json.dumps([name, c.head.decode("latin-1"), c.body[:4000].decode("latin-1")]) + "\n")

    def speak(name: str, server: Server, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            sock.settimeout(60)
            if server.context is not None:
                sock = server.context.wrap_socket(sock, server_side=True)
            c = Connection(sock, urls)
            if isinstance(server.answer, AtOnce):
                note(name, c)
                server.answer.act(c)
            while not isinstance(server.answer, AtOnce) and c.read():
                note(name, c)
                if callable(server.answer):
                    server.answer(c)
                else:
                    c.send(server.answer)
                    break
            c.close()

    def accept(name: str, server: Server, listener: socket.socket) -> None:
        while True:
            threading.Thread(target=speak, args=(name, server, listener.accept()[0]), daemon=True).start()

    for name, (server, listener) in servers.items():
        if isinstance(server.answer, Kept):
            server.answer.make()
        threading.Thread(target=accept, args=(name, server, listener), daemon=True).start()
    os.write(ready, b".")
    while True:
        signal.pause()


Client = Callable[[Urls, Path], Any]
"""What asks: it gets the addresses and a folder, and returns what came."""


def asking(
    name: str,
    evil: Answer | AtOnce | Server,
    client: Client,
    wants: str,
    right: Callable[[Any], object],
    good: Answer,
    mirrors: Sequence[str] = ("evil",),
    environment: Mapping[str, str] | None = None,
    deadline_s: float = 4,
) -> Case:
    """A case in which `client` asks a server that does `evil`.

    Whatever it says: what is accepted is `right`, the time is bounded, no thread goes on, no login goes to the other
    server, and no secret is written down.

    Parameters
    ----------
    good
        The answers of the other server.
    mirrors
        The servers that have the file, in the order in which they are asked.
    environment
        Variables; in them, @GOOD@ and @EVIL@ are the addresses of the servers.
    """
    server = evil if isinstance(evil, Server) else Server(evil)
    both = {"evil": server, "good": Server(good)}

    def run() -> None:
        listening = {which: one.listen() for which, one in both.items()}
        addresses = {which: url for which, (_, url) in listening.items()}
        urls = Urls(**addresses, mirrors=[addresses[which] for which in mirrors])
        folder, log = Path("../fetched").resolve(), Path("../requests").resolve()
        folder.mkdir()
        log.touch()
        pid = _forked({which: (both[which], listening[which][0]) for which in both}, urls, log)
        for listener, _ in listening.values():
            listener.close()
        try:
            _set(environment or {}, urls)
            signal.alarm(int(deadline_s) + 2 * LATE_S)  # ends the process: one that asks again and again is not idle
            start = time.monotonic()
            try:
                with messages_from(logging.DEBUG):  # what they say must hold, too
                    value = client(urls, folder)
            finally:
                seconds = time.monotonic() - start
                assert seconds < deadline_s + LATE_S, f"it took {seconds:.0f} s"
                _quiet()
                _secrets_kept(folder, log)
        finally:
            os.kill(pid, signal.SIGKILL)
        assert right(value), "what came is not what was asked for"

    return Case(name, run, wants=wants, network=True)


def _forked(servers: Mapping[str, tuple[Server, socket.socket]], urls: Urls, log: Path) -> int:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for it, and its memory is not that of the case
    wait, ready = os.pipe()
    if pid := os.fork():
        os.close(ready)
        if not os.read(wait, 1):
            raise RuntimeError("the server could not make what it should send")
        return pid
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), 1)
        os.dup2(null.fileno(), 2)
    try:
        _serve(servers, urls, log, ready)
    finally:
        os._exit(1)


def _set(environment: Mapping[str, str], urls: Urls) -> None:
    for variable in _PROXIES:
        os.environ.pop(variable, None)
        os.environ.pop(variable.upper(), None)
    os.environ["SCISERVER_TOKEN"] = CANARY
    for variable, value in environment.items():
        os.environ[variable] = value.replace("@EVIL@", urls.evil).replace("@GOOD@", urls.good)


def _quiet() -> None:
    """Threads that were given up end, or wait: they do not keep a processor busy, and are few."""
    end = time.monotonic() + 2
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.02)
    if threading.active_count() > 1:
        before = time.process_time()
        time.sleep(0.8)
        busy = time.process_time() - before
        assert busy < 0.3, f"threads go on: {busy:.2f} s of the processor"
    assert threading.active_count() < 20, f"{threading.active_count()} threads are left"


def _secrets_kept(folder: Path, log: Path) -> None:
    for path in folder.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), f"a secret in {path.name}"
    for which, head, body in map(json.loads, log.read_text().splitlines()):
        assert which == "evil" or CANARY not in head + body, "a secret at another server"
        headers = re.findall(r"(?im)^(authorization|cookie):", head)
        assert not headers, f"a header {headers[0]} was sent"
