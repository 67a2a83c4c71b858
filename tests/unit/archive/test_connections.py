"""What a connection takes from the environment: proxies and certificates, and no login."""

import contextlib
import shutil
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fetching import answering
from helpers import archive, impatient

from crossz.archive.connections import Exchange
from crossz.archive.http import Client, limits
from crossz.core.errors import CrosszError

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
PROXIES = [f"{scheme}_proxy" for scheme in ("http", "https", "all", "no")]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in (*PROXIES, *map(str.upper, PROXIES), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def get(*urls, **settings):
    with Client(limits(archive(urls[0], **settings))) as client:
        return client.fetch(urls, "a file", lambda reply: reply.body, "no remedy")


def test_a_login_of_netrc_goes_to_no_mirror_and_to_no_target_of_a_redirect(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("default login me password canary\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    seen = []
    with answering(HELLO, seen=seen) as target:
        redirect = f"HTTP/1.1 302 Found\r\nLocation: {target}/x\r\nContent-Length: 0\r\n\r\n".encode()
        with answering(redirect, seen=seen) as url:
            assert get(url) == b"hello"
    assert len(seen) == 2
    assert not any(b"authorization" in request.lower() for request in seen)


def test_a_proxy_of_the_environment_is_used_also_for_a_redirect_but_not_where_it_says_so(monkeypatch):
    through, straight = [], []
    redirect = (
        b"HTTP/1.1 302 Found\r\nLocation: http://second.example/b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    with answering(HELLO, seen=straight) as url, answering(redirect, seen=through) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert get(url) == b"hello"
        assert not through
        with pytest.raises(CrosszError, match="Exceeded 5 redirects"):
            get("http://first.example/a", attempts=1)
    assert through[0].startswith(b"GET http://first.example/a ")
    assert through[1].startswith(b"GET http://second.example/b ")


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_are_not_there_are_named(monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    with pytest.raises(CrosszError, match=rf"{name}: there is no .*none\.pem"):
        get("https://127.0.0.1:9/")


@pytest.fixture
def secure(tmp_path):
    """(address of an https server that signed its own certificate, path of the certificate, its requests)."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    hits = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            down = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
            self.wfile.write(down if self.path == "/down" else HELLO)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        def finish_request(self, request, client_address):
            hits.append("connection")
            with contextlib.suppress(OSError):
                super().finish_request(context.wrap_socket(request, server_side=True), client_address)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}/", certificate, hits
        server.shutdown()


def test_a_certificate_that_is_not_accepted_ends_at_once_and_another_mirror_is_asked(secure):
    url, _, hits = secure
    with pytest.raises(
        CrosszError, match=r"certificate is not accepted \(self-signed certificate\).*REQUESTS_CA_BUNDLE"
    ):
        get(url)
    assert hits == ["connection"]
    with answering(HELLO) as good:
        assert get(url, good) == b"hello"
    assert hits == ["connection"] * 2


def test_certificates_of_the_environment_are_accepted(secure, monkeypatch):
    url, certificate, _ = secure
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    assert get(url) == b"hello"


def test_https_asked_of_a_plain_server_says_so():
    with (
        answering(HELLO) as url,
        pytest.raises(CrosszError, match=r"not fetched after 2 attempt.*no TLS \(.*WRONG_VERSION"),
    ):
        get(url.replace("http:", "https:"))


def test_a_redirect_from_https_to_http_is_not_followed(secure, monkeypatch):
    url, certificate, hits = secure
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with pytest.raises(CrosszError, match=r"cannot be asked.*it leads from https to http"):
        get(f"{url}down", attempts=1)
    assert hits == ["connection", "/down"]


@pytest.mark.parametrize("follow", [True, False])
def test_the_endless_body_of_a_redirect_is_not_read(follow):
    with answering(HELLO) as target:
        redirect = f"HTTP/1.1 302 Found\r\nLocation: {target}/x\r\n\r\n".encode()
        with answering(redirect, bytes(1 << 16), pause=0.01) as url:
            if follow:
                assert get(url) == b"hello"
                return
            with Client(limits(archive(url))) as client, pytest.raises(CrosszError, match="HTTP 302"):
                client.fetch([url], "a job", lambda reply: reply, "no remedy", headers={"X-Auth-Token": "canary"})


def test_a_cookie_of_a_redirect_is_not_sent():
    seen = []
    with answering(HELLO, seen=seen) as target:
        head = f"HTTP/1.1 302 Found\r\nLocation: {target}/x\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
        with answering(head.encode(), seen=seen) as url:
            assert get(url) == b"hello"
    assert [b"cookie" in request.lower() for request in seen] == [False, False]


def test_no_cookie_is_kept():
    seen = []
    answer = HELLO.replace(b"Connection", b"Set-Cookie: a=b; Path=/\r\nConnection")
    with answering(answer, seen=seen) as url, Client(limits(archive(url))) as client:
        for _ in range(2):
            client.fetch([url], "a file", lambda reply: reply.body, "no remedy")
    assert [b"cookie" in request.lower() for request in seen] == [False, False]


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"])
def test_a_connection_that_is_given_up_is_cut(begin):
    more = b"X: y\r\n" if begin else b"HTTP/1.1 100 Continue\r\n\r\n"
    with answering(begin or more, more, pause=0.01) as url:
        with pytest.raises(CrosszError, match="not fetched after"):
            get(url, **{name: impatient(url)[name] for name in ("timeout_s", "deadline_s")})
        end = time.monotonic() + 30
        while any(isinstance(thread, Exchange) for thread in threading.enumerate()) and time.monotonic() < end:
            time.sleep(0.02)
        assert not any(isinstance(thread, Exchange) for thread in threading.enumerate())


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
@pytest.mark.parametrize("address", ["http://me:canary@:99999", "http://me:canary@[::1", "socks9://me:canary@a:9"])
def test_the_password_of_a_proxy_is_not_shown(monkeypatch, name, address):
    monkeypatch.setenv(name, address)
    with pytest.raises(CrosszError) as caught:
        get("http://first.example/a", attempts=1, deadline_s=3)
    assert "canary" not in str(caught.value)
