"""Mirrors, deadlines, pauses, limits: how a file is fetched."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import archive, impatient, listening
from local_archive import Fault, serve

from crossz.archive import sas
from crossz.archive.http import Client, limits
from crossz.core.errors import CrosszError
from crossz.sdss.frames import frame_path


def test_headers_that_trickle_in_are_given_up_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def trickle():
            connection, _ = listener.accept()
            with contextlib.suppress(OSError):
                for byte in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100:
                    connection.send(bytes([byte]))
                    time.sleep(0.3)

        threading.Thread(target=trickle, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        start = time.monotonic()
        with (
            Client(limits(impatient(url, deadline_s=1))) as client,
            pytest.raises(CrosszError, match="no complete headers within .* beyond the deadline"),
        ):
            client.fetch([url], "a page", lambda reply: reply, "no remedy")
        assert time.monotonic() - start < 20


@pytest.mark.parametrize("kind", ["503", "404", "401", "500json", "html200", "flip", "refuse", "slow"])
def test_another_mirror_serves_what_one_does_not(small_sky, server, fields, tmp_path, kind):
    with serve(None, [small_sky / "sas"]) as bad:
        bad.faults.append(Fault("/sas/", kind))
        settings = listening if kind == "slow" else archive
        block = settings(server.url, sas=[f"{bad.url}/sas", f"{server.url}/sas"])
        with sas.Frames([], tmp_path, sas.Place(None, block, False)) as frames:
            assert frames(fields[0], "r") is not None
        assert (len(bad.hits), len(server.hits)) == (1, 1)


def test_a_host_that_fails_again_and_again_is_left_alone(small_sky, server, fields, tmp_path):
    with serve(None, [small_sky / "sas"]) as bad:
        bad.faults.append(Fault("/sas/", "503"))
        block = archive(server.url, sas=[f"{bad.url}/sas", f"{server.url}/sas"], connections=1, pause_s=0.1)
        with sas.Frames(fields[:6], tmp_path, sas.Place(tmp_path, block, True)) as frames:
            frames.fetch_all()
        assert len(server.hits) == 30
        assert 8 <= len(bad.hits) < 20


def test_connections_are_bounded(server, fields):
    server.faults.append(Fault("/sas/", "delay", None, 0.2))
    url = f"{server.url}/sas/{frame_path('', fields[0], 'r').as_posix()}"
    with Client(limits(archive(server.url, connections=3))) as client, ThreadPoolExecutor(9) as threads:
        list(threads.map(lambda _: client.fetch([url], "a frame", lambda reply: reply, "no remedy"), range(9)))
    assert server.peak["/sas"] == 3


@pytest.mark.parametrize("length", ["abc", "5, 5", "", "1e3"])
def test_an_odd_length_is_a_body_that_was_cut(length):
    with answering(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\nhello") as url:
        block = impatient(url)
        with Client(limits(block)) as client, pytest.raises(CrosszError, match="not fetched after"):
            client.fetch([url], "a frame", lambda reply: reply, "no remedy")


def test_a_token_goes_to_no_other_host(server):
    with answering(f"HTTP/1.1 302 Found\r\nLocation: {server.url}/sas/x\r\nContent-Length: 0\r\n\r\n") as url:
        with Client(limits(archive(server.url))) as client, pytest.raises(CrosszError, match="HTTP 302"):
            client.fetch([url], "a job", lambda reply: reply, "no remedy", headers={"X-Auth-Token": "canary"})
    assert not server.hits


@contextlib.contextmanager
def answering(text):
    """The address of a server that answers each request by `text`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_all():
            with contextlib.suppress(OSError):  # the listener is closed
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(1 << 16)
                        connection.sendall(text.encode())

        threading.Thread(target=serve_all, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_retry_after_is_waited_for(server, fields, tmp_path):
    server.faults.append(Fault("/sas/", "429", 1, 1))
    start = time.monotonic()
    with sas.Frames([], tmp_path, sas.Place(None, archive(server.url), False)) as frames:
        assert frames(fields[0], "r") is not None
    assert time.monotonic() - start >= 1


def test_a_retry_after_beyond_the_deadline_ends_at_once(server, fields, tmp_path):
    server.faults.append(Fault("/sas/", "429", None, 3600))
    start = time.monotonic()
    with sas.Frames([], tmp_path, sas.Place(None, impatient(server.url), False)) as frames:
        with pytest.raises(CrosszError, match="beyond the deadline of 3 s"):
            frames(fields[0], "r")
    assert time.monotonic() - start < 60


def test_an_outage_shorter_than_the_deadline_is_waited_out(server, fields, tmp_path):
    server.faults.append(Fault("/sas/", "503"))
    threading.Timer(1.5, server.faults.clear).start()
    with sas.Frames([], tmp_path, sas.Place(None, archive(server.url), False)) as frames:
        assert frames(fields[0], "r") is not None
    assert len(server.hits) > 3
