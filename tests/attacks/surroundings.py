"""What a client finds around it: proxies, certificates, logins on disk, addresses, TLS; and whole commands that ask."""

import atexit
import functools
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attacks import answers, clients, services
from attacks.clients import FRAME, FRAME_PATH, frame, honest, is_frame
from attacks.harness import ACCEPTED, CANARY, EITHER, REFUSED, Case
from attacks.server import Answer, AtOnce, Client, Connection, Server, Urls, answer, asking, dripping, forever
from attacks.services import COLUMNS, POSITION, row


def cases() -> Iterator[Case]:
    yield from _proxies()
    yield from _variables()
    yield from _logins()
    yield from _addresses()
    yield from _tls()
    yield from _commands()


def fetching(name: str, evil: Any, wants: str, client: Client = frame["whole"], mirrors: tuple[str, ...] = ("evil",), **more: Any) -> Case:  # fmt: skip
    """The frame asked for at these servers."""
    return asking(name, evil, client, wants, is_frame, **{"good": honest} | more, mirrors=mirrors)


def _secure(urls: Urls, folder: Path) -> Any:
    """The frame, by https."""
    return frame["whole"](urls._replace(mirrors=[url.replace("http:", "https:") for url in urls.mirrors]), folder)


def _proxies() -> Iterator[Case]:
    at_good = {"mirrors": ("good",)}
    through = {"http_proxy": "@EVIL@"}
    yield fetching("a proxy that says something else", answer(b"hello"), REFUSED, environment=through, **at_good)
    login = f"user:{CANARY}"
    values = (f"http://{login}@[::1", f"http://{login}@:99999", f"socks5://{login}@127.0.0.1:9", f"socks9://{login}@127.0.0.1:9", f"{login}@127.0.0.1:9", f"ftp://{login}@127.0.0.1:9", f"http://{login}@nowhere.invalid:9", f"http://{login}@", f"http://{CANARY}\x1b[31m@127.0.0.1:9", f"https://{login}@127.0.0.1:9", f"://{CANARY}", f"http://{login}@127.0.0.1:abc", f"http://{login}@127.0.0.1:9", f"http://127.0.0.1:9/{CANARY}", f"http://127.0.0.1:9/?{CANARY}", f"http:{login}@127.0.0.1:9", f"http://{login}@a b")  # fmt: skip
    for variable in ("http_proxy", "all_proxy"):
        for value in values:
            yield fetching(f"{variable} {value!r}", answer(FRAME), REFUSED, environment={variable: value}, **at_good)
        for value in (" ", "\udcff", ""):
            yield fetching(f"{variable} {value!r}", answer(FRAME), EITHER, environment={variable: value}, **at_good)
    for value in ("127.0.0.1", "*"):
        without = through | {"no_proxy": value}
        yield fetching(f"no_proxy {value!r}", answer(b"hello"), ACCEPTED, environment=without, **at_good)
    for value in (",,,", "127.0.0.0/8", "[::1", "999.0.0.1/99", "\udcff"):
        without = through | {"no_proxy": value}
        yield fetching(f"no_proxy {value!r}", answer(b"hello"), EITHER, environment=without, **at_good)
    tunnel = {"https_proxy": "@EVIL@"}
    connects: dict[str, Answer] = {
        "refused, with an echo": answer(b"", f"407 {CANARY}"), "200 and then nonsense": answer(b"", Content_Length=None) + b"hello", "endless headers": forever(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
        "trickling headers": forever(b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.2), "an escape": answer(b"", "502 \x1b[31m"), "a redirect": answer(b"", "302 X", Location=f"@GOOD@/{FRAME_PATH}"),
    }  # fmt: skip
    for name, evil in connects.items():
        yield fetching(f"CONNECT: {name}", evil, REFUSED, _secure, environment=tunnel, **at_good)
    with_login = {"https_proxy": f"http://{login}@127.0.0.1:9"}
    yield fetching("CONNECT: a login", answer(b""), REFUSED, _secure, environment=with_login, **at_good)


def _variables() -> Iterator[Case]:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        for value in ("/nowhere", "/etc", "/etc/hostname", "", "/dev/null", "/proc/self/mem", "a\x1b[31m", "\udcff"):
            yield fetching(f"{variable} {value!r}", answer(FRAME), REFUSED, _secure, environment={variable: value})
    for value in ("a\nb", "\xff\u2020", " ", "a" * 100_000, "a\x1b[31m"):
        token = {"SCISERVER_TOKEN": CANARY + value}
        evil = answer(b"", "401 X")
        yield asking(f"token {value[:9]!r}", evil, clients.tables, REFUSED, bool, honest, environment=token)


def _logins() -> Iterator[Case]:
    """Logins that lie in files, and cookies."""

    def with_netrc(urls: Urls, folder: Path) -> Any:
        path = folder.with_name("netrc")
        path.write_text(f"machine 127.0.0.1 login a password {CANARY}\ndefault login a password {CANARY}\n")
        path.chmod(0o600)
        os.environ.update(NETRC=str(path), HOME=str(path.parent))
        return frame["whole"](urls, folder)

    def with_cookie(c: Connection) -> None:
        first = answer(b"", "302 X", Location=f"/{FRAME_PATH}", Set_Cookie="a=b; Path=/")
        c.send(first if c.number == 1 else answer(FRAME))

    def with_many(c: Connection) -> None:
        cookies = "".join(f"\r\nSet-Cookie: c{c.number}_{k}={'a' * 4000}; Path=/" for k in range(90))
        c.send(answer(b"", "503 X", X=f"y{cookies}") if c.number < 4 else answer(FRAME))

    yield fetching("~/.netrc and a redirect", answers.redirect(f"@GOOD@/{FRAME_PATH}"), ACCEPTED, with_netrc)
    yield fetching("a cookie", with_cookie, ACCEPTED)
    yield fetching("90 cookies", with_many, ACCEPTED)
    contents = {"binary": b"\xff\xfe\0" + CANARY.encode(), "two lines": f"{CANARY}\n{CANARY}\n".encode(), "no pair": b"token = x", "empty": b"", "an escape": f"token: {CANARY}\x1b[31m".encode()}  # fmt: skip
    for name, content in contents.items():

        def with_file(urls: Urls, folder: Path, content: bytes = content) -> Any:
            path = folder.with_name("credentials")
            path.write_bytes(content)
            path.chmod(0o600)
            del os.environ["SCISERVER_TOKEN"]
            os.environ["CROSSZ_CREDENTIALS"] = str(path)
            return clients.examined("casjobs")(urls, folder)

        yield asking(f"credentials: {name}", answer(b"{}"), with_file, REFUSED, bool, honest, deadline_s=14)


def _addresses() -> Iterator[Case]:
    """Addresses as a user might write them, of mirrors and of services."""
    odd = (f"http://me:{CANARY}@127.0.0.1:9/", f"http://{CANARY}@[::1", "http://", "http://[::1", "http://[::1]x", "http://[x]", "http://a:99999", "http://a:-1", "http://a:b", "http://a:\xb2", "http://a b/", "http:/x", "http://\x1b[31m/", "http://ex\xe4mple.invalid/", "https://127.0.0.1:9\\@x", "http://a..b/", f"http://{'a' * 64}.x/", f"http://{'a.' * 200}x/", "http://127.0.0.1:9/?q#f", "http://%zz/", "http://0x7f.1:9/", "http://*/", "", " ", "x", "file:///etc", "ftp://127.0.0.1/", "http://\udcff/", "http://a\0b/", "http://\u202e.x/", "http://127.0.0.1:9/\n")  # fmt: skip
    for address in odd:
        for way, client in frame.items():

            def mirror(urls: Urls, folder: Path, address: str = address, client: Client = client) -> Any:
                mirrors = [address if url == urls.evil else url for url in urls.mirrors]
                return client(urls._replace(mirrors=mirrors), folder)

            name = f"mirror {address[:30]!r}, {way}".replace(CANARY, "SECRET")
            yield fetching(name, honest, REFUSED, mirror)
            yield fetching(f"{name}, and an honest mirror", honest, ACCEPTED, mirror, ("evil", "good"))
        for service, client in {**services.ALL, "spectrum": clients.spectrum}.items():

            def ask(urls: Urls, folder: Path, address: str = address, client: Client = client) -> Any:
                return client(urls._replace(evil=address, mirrors=[address]), folder)

            yield asking(f"{service} {address[:30]!r}".replace(CANARY, "SECRET"), honest, ask, REFUSED, bool, honest)
    v6 = socket.AF_INET6
    busy = answer(b"", "503 X")
    yield fetching("IPv6: honest", Server(honest, family=v6), ACCEPTED)
    yield fetching("IPv6: 503", Server(busy, family=v6), REFUSED)
    yield fetching(
        "IPv6: 503, and an honest mirror by IPv4", Server(busy, family=v6), ACCEPTED, mirrors=("evil", "good")
    )


def _tls() -> Iterator[Case]:
    certificate, context = _certificate()
    known = {"environment": {"REQUESTS_CA_BUNDLE": certificate}}
    both = {"mirrors": ("evil", "good")}
    old = _context(certificate, ssl.TLSVersion.TLSv1_2)
    yield fetching("TLS: honest", Server(honest, context), ACCEPTED, **known)
    yield fetching("TLS 1.2: honest", Server(honest, old), ACCEPTED, **known)
    yield fetching("TLS: a certificate that nobody knows", Server(honest, context), REFUSED)
    yield fetching("TLS: a certificate that nobody knows, and an honest mirror", Server(honest, context), ACCEPTED, **both)  # fmt: skip
    to_plain = answers.redirect(f"@GOOD@/{FRAME_PATH}")
    yield fetching("TLS: a redirect to http", Server(to_plain, context), REFUSED, **known)
    yield fetching(
        "TLS: a redirect to http, and an honest mirror", Server(to_plain, context), ACCEPTED, **known, **both
    )
    plain = lambda urls, folder: frame["whole"](urls._replace(mirrors=[urls.evil.replace("https:", "http:")]), folder)  # noqa: E731  # fmt: skip
    yield fetching("TLS: asked by http", Server(honest, context), REFUSED, plain)
    some = ("length: none, cut", "length: none, endless", "connection: reset in the body", "connection: closed after the request", "chunks: never ending", "chunks: endless trailers", "headers: trickle", "headers: endless", "status: endless 103", "redirect: endless body", "headers: silence in the body")  # fmt: skip
    known_answers = answers.answers()
    for name in some:
        evil, wants = known_answers[name]
        yield fetching(f"TLS: {name}", Server(evil, context), wants, **known)
        yield fetching(f"TLS: {name}, and an honest mirror", Server(evil, context), ACCEPTED, **known, **both)
    yield fetching("TLS: a handshake that trickles", AtOnce(dripping(b"\x16" * 100, 0.2)), REFUSED, _secure)
    yield fetching("TLS: a handshake in silence", AtOnce(lambda c: time.sleep(30)), REFUSED, _secure)
    yield fetching("TLS: an alert", AtOnce(lambda c: c.send(b"\x15\x03\x01\0\x02\x02\x28")), REFUSED, _secure)


@functools.cache
def _certificate() -> tuple[str, ssl.SSLContext]:
    """The path of a certificate with its key, and what a server of it needs."""
    folder = tempfile.mkdtemp(prefix="attacks-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = f"{folder}/certificate.pem"
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([*words.split(), "-keyout", f"{folder}/key.pem", "-out", path], check=True, capture_output=True)
    with open(path, "ab") as handle:
        handle.write(Path(folder, "key.pem").read_bytes())
    return path, _context(path)


def _context(certificate: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.maximum_version = newest
    return context


def _commands() -> Iterator[Case]:
    """`crossz predict --at` and `doctor`."""
    objects = answer(f"#Table1\nname,{COLUMNS}\n0,{row(objID=clients.OBJID, ra=187.27791594, dec=2.05238852)}\n")

    def both(sesame: Any, skyserver: Any) -> Answer:
        def act(c: Connection) -> None:
            evil = sesame if "/sesame" in c.path else skyserver
            if callable(evil):
                evil(c)
            else:
                c.send(evil)
                c.close()

        return act

    known_place = answer(POSITION)

    def at(name: str, sesame: Any = known_place, skyserver: Any = objects, wants: str = REFUSED) -> Case:
        return asking(f"--at: {name}", both(sesame, skyserver), clients.predicted, wants, lambda _: True, honest)

    some = ("status: 503", "status: 404", "status: 401", "status: HTTP/2 preface", "length: none, endless", "headers: trickle", "headers: no colon at the end", "redirect: loop", "redirect: endless body", "redirect: escape", "connection: reset in the body", "chunks: never ending", "retry-after: '-5'", "status: 400 with a reason of an escape", "encoding: gzip bomb", "status: endless 100", "status: 204 with the right body", "headers: an escape in a value")  # fmt: skip
    known = answers.answers()
    yield at("honest", wants=ACCEPTED)
    for name in some:
        yield at(f"Sesame {name}", sesame=known[name][0])
        yield at(f"SkyServer {name}", skyserver=known[name][0])
        for backend in ("skyserver", "casjobs"):
            doctor = clients.examined(backend)
            yield asking(f"doctor, {backend}: {name}", known[name][0], doctor, REFUSED, bool, honest, deadline_s=14)
    bodies = {"an error with an escape": '{"ErrorMessage": "\x1b[31m"}', "columns with an escape": "\x1b[31m,b\n", "html": "<html>", "no object": f"name,{COLUMNS}\n0{',' * len(COLUMNS.split(','))}\n"}  # fmt: skip
    for name, body in bodies.items():
        yield at(f"SkyServer, {name}", skyserver=answer(body))
    for name in ("connection: never reads", "connection: TLS from a plain port"):
        for backend in ("skyserver", "casjobs"):
            doctor = clients.examined(backend)
            yield asking(f"doctor, {backend}: {name}", known[name][0], doctor, REFUSED, bool, honest, deadline_s=14)
