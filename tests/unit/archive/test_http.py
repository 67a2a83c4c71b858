"""Mirrors, deadlines, pauses, limits: how a file is fetched."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fetching import answering
from helpers import archive, impatient, listening
from local_archive import Fault, serve

from crossz.archive import sas
from crossz.archive.http import Client, Damaged, Unanswered, limits
from crossz.core.errors import CrosszError, Refused
from crossz.sdss.frames import frame_path


def get(urls, accept=lambda reply: reply.body, block=None, **options):
    with Client(limits(block or archive("http://nowhere"))) as client:
        return client.fetch(urls, "a frame", accept, "no remedy", **options)


def answer(body=b"hello", status="200 OK", **headers):
    """The bytes of an answer; `headers` may replace its length."""
    lines = {"Content-Length": len(body), "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


def test_headers_that_trickle_in_are_given_up_at_the_deadline():
    with answering(b"HTTP/1.1 200 OK\r\nX: ", b"a", pause=0.2) as url:
        with pytest.raises(CrosszError, match=r"no complete headers within .* beyond the deadline"):
            get([url], block=impatient(url, deadline_s=1))


@pytest.mark.parametrize(
    ("begin", "patience"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", {"timeout_s": 0.5, "deadline_s": 30}),
        (answer(Content_Length=10**6), {"timeout_s": 60, "deadline_s": 8}),
    ],
)
def test_a_mirror_that_trickles_takes_a_share_of_the_time(begin, patience):
    with answering(begin, b"a", pause=0.2) as slow, answering(answer()) as good:
        assert get([slow, good], block=archive(slow, **patience)) == b"hello"


ODD = {
    "length abc": answer(Content_Length="abc"),
    "no length": answer(Content_Length=""),
    "two lengths": answer(Content_Length="5, 6"),
    "superscript": answer(Content_Length="\xb2"),
    "underscore": answer(Content_Length="5_0"),
    "negative": answer(Content_Length="-5"),
    "digits": answer(Content_Length="9" * 10**4),
    "host of a redirect": answer(b"", "302 Found", Location="http://[::1"),
    "port of a redirect": answer(b"", "302 Found", Location="http://a:99999999/"),
    "label of a redirect": answer(b"", "302 Found", Location=f"http://{'a' * 99}..b/"),
    "scheme of a redirect": answer(b"", "302 Found", Location="file:///etc/passwd"),
    "pause of year 99999": answer(b"", "503 Busy", Retry_After="Fri, 31 Dec 99999 23:59:59 GMT"),
    "pause of a superscript": answer(b"", "503 Busy", Retry_After="\xb2"),
    "pause of 100,000 digits": answer(b"", "503 Busy", Retry_After="9" * 60000),
    "deep JSON": answer(b"[" * 2000, "500 Error"),
    "no status": b"\x00\xff\r\n\r\n",
    "a status of letters": answer(status="abc"),
    "many headers": answer(**{f"X{k}": 1 for k in range(200)}),
    "a long header": answer(X="a" * 70000),
    "chunks of no size": answer(b"xyz\r\n", Content_Length=None, Transfer_Encoding="chunked"),
    "endless hints": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100,
}


@pytest.mark.parametrize("kind", ODD)
def test_whatever_a_header_provokes_lets_the_next_mirror_be_asked(kind):
    with answering(ODD[kind]) as odd, answering(answer()) as good:
        assert get([odd, good]) == b"hello"
        with pytest.raises(CrosszError, match="a frame: not fetched after"):
            get([odd], block=impatient(odd))


@pytest.mark.parametrize("error", [ValueError, TypeError, OverflowError, RecursionError, MemoryError, KeyError])
def test_whatever_parsing_provokes_lets_the_next_mirror_be_asked(error):
    def accept(reply):
        if reply.body == b"wrong":
            raise error("odd \x1b[31m bytes")
        return reply.body

    with answering(answer(b"wrong")) as odd, answering(answer()) as good:
        assert get([odd, good], accept) == b"hello"
        with pytest.raises(
            Damaged, match=rf"an answer that cannot be read \({error.__name__}: .*odd .*bytes"
        ) as caught:
            get([odd], accept)
        assert "\x1b" not in str(caught.value)


def test_a_length_may_be_said_twice():
    with answering(answer(Content_Length="5, 5", Connection="keep-alive"), b"x", pause=0.5) as url:
        assert get([url]) == b"hello"


def test_an_interim_answer_is_read_past():
    with answering(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + answer()) as url:
        assert get([url]) == b"hello"


@pytest.mark.parametrize("headers", [{"Content_Length": None}, {"Content_Length": 10**12}])
def test_an_endless_body_ends_at_the_bound_of_its_kind(headers):
    with answering(answer(b"", **headers), bytes(1 << 16)) as url:
        with pytest.raises(Damaged, match="1,000,000"):
            get([url], most=1_000_000)


def test_an_endless_range_ends_where_it_should():
    read = []
    begin = answer(b"", "206 Partial", Content_Length=None, Content_Range="bytes 0-999/5000")
    with answering(begin, bytes(1 << 16)) as url:
        with pytest.raises(Damaged, match="more than 1000 bytes of a range of 1000"):
            get([url], span=(0, 1000), consume=lambda parts: read.extend(parts))
    assert sum(map(len, read)) <= 1000


@pytest.mark.parametrize("span", ["\xb2-3/9", f"0-{'9' * 5000}/9", "bytes 0-999/*"])
def test_a_range_of_odd_numbers_is_refused(span):
    with answering(answer(b"", "206 Partial", Content_Range=f"bytes {span}")) as url:
        with pytest.raises(Damaged, match="no valid Content-Range"):
            get([url], span=(0, 1000))


def test_a_pause_belongs_to_the_mirror_that_asked_for_it():
    with answering(answer(b"", "429 Busy", Retry_After="3600")) as busy, answering(answer()) as good:
        assert get([busy, good]) == b"hello"
    with answering(answer(b"", "429 Busy", Retry_After="2")) as busy, answering(answer(b"wrong")) as wrong:

        def accept(reply):
            raise Refused("wrong")

        with pytest.raises(CrosszError) as caught:
            get([busy, wrong], accept, impatient(busy, deadline_s=1))
    assert isinstance(caught.value, Unanswered)  # the busy one has not said its last word


def test_a_host_that_rested_is_as_new():
    seen = []
    with answering(answer(b"", "503 Busy"), seen=seen) as url:
        block = archive(url, pause_s=0.001)
        with Client(limits(block)) as client:
            client._host(url).failures = 7
            with pytest.raises(Unanswered):
                client.fetch([url], "a frame", lambda reply: reply, "no remedy", once=True)
            host = client._host(url)
            assert (host.failures, host.closed_until > 0) == (0, True)


def test_words_of_a_service_have_no_control_characters():
    words = json.dumps({"ErrorMessage": "bad \x1b[2J\x07\x9b31m\u202e query"}).encode()
    with answering(answer(words, "400 Bad")) as url, pytest.raises(CrosszError, match=r"bad .*query") as caught:
        get([url])
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", ["length", "body"])
def test_nothing_of_a_secret_answer_is_shown(kind):
    def accept(reply):
        raise ValueError(reply.body)

    odd = answer(Content_Length="canary") if kind == "length" else answer(b"canary")
    with answering(odd) as url, pytest.raises(Damaged) as caught:
        get([url], accept, secret=True)
    assert "canary" not in str(caught.value)


def test_a_token_that_no_header_may_hold_is_not_shown():
    with answering(answer()) as url, pytest.raises(CrosszError, match="headers that cannot be read") as caught:
        get([url], headers={"X-Auth-Token": "canary\n"})
    assert "canary" not in str(caught.value)


def test_a_token_that_a_service_repeats_is_not_shown():
    words = json.dumps({"ErrorMessage": "no such token: canary"}).encode()
    with (
        answering(answer(words, "500 Error")) as url,
        pytest.raises(Damaged, match=r"no such token: \$TOKEN") as caught,
    ):
        get([url], headers={"X-Auth-Token": "canary"})
    assert "canary" not in str(caught.value)


def test_a_file_whose_turn_comes_after_its_deadline_says_so():
    with answering(answer()) as url, Client(limits(archive(url, connections=1, deadline_s=0.5))) as client:
        with client._host(url).slots:
            late = ThreadPoolExecutor(1).submit(client.fetch, [url], "a frame", lambda reply: reply.body, "no remedy")
            time.sleep(1)
        with pytest.raises(Unanswered, match="no connection to it was free in time"):
            late.result(60)


@pytest.mark.parametrize("number", ["EAI_NONAME", "EAI_AGAIN"])
def test_an_unknown_host_ends_at_once_and_another_mirror_is_asked(monkeypatch, number):
    lookups = []
    honest = socket.getaddrinfo

    def lookup(host, *arguments, **options):
        if host != "nowhere.example":
            return honest(host, *arguments, **options)
        lookups.append(host)
        raise socket.gaierror(getattr(socket, number), "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with answering(answer()) as good:
        assert get(["http://nowhere.example/", good]) == b"hello"
        assert len(lookups) == 1
        with pytest.raises(CrosszError, match="no such name") as caught:
            get(["http://nowhere.example/"], block=impatient(good))
    assert (len(lookups) == 2 and "unknown host" in str(caught.value)) == (number == "EAI_NONAME")


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


def test_a_token_goes_to_no_other_host(server):
    with answering(answer(b"", "302 Found", Location=f"{server.url}/sas/x")) as url:
        with Client(limits(archive(server.url))) as client, pytest.raises(CrosszError, match="HTTP 302"):
            client.fetch([url], "a job", lambda reply: reply, "no remedy", headers={"X-Auth-Token": "canary"})
    assert not server.hits


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


ODD_ADDRESSES = ["http://a:99999/f", "http://[::1/f", "http://a:b/f", "http://\x1b[31m/f", "file:///etc/passwd", "", "http://a b/f", "http://me:canary@[::1/f", "http://me:canary@127.0.0.1:9/f"]  # fmt: skip


@pytest.mark.parametrize("odd", ODD_ADDRESSES)
def test_what_is_no_address_is_named_and_the_next_mirror_is_asked(odd, messages):
    with answering(answer()) as good:
        assert get([odd, good]) == b"hello"
    with pytest.raises(
        CrosszError, match=r"^a frame: '.*' is no address, or has a login; write https://HOST/PATH$"
    ) as caught:
        get([odd])
    assert "is no address" in messages.text
    assert not {"\x1b", "canary"} & {word for word in ("\x1b", "canary") if word in f"{caught.value} {messages.text}"}


@pytest.mark.parametrize("odd", ["http://*/f", "http://a..b/f", f"http://{'a' * 64}.b/f"])
def test_an_address_that_no_request_can_be_made_of_is_one_error(odd):
    with pytest.raises(CrosszError, match="an address that cannot be asked"):
        get([odd], block=impatient(odd))
