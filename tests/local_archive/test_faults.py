"""Each lie of the local archive is the one that its name says."""

import contextlib
import re
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests

from local_archive import FAULTS, Fault
from local_archive.example import FOLDER, FRAME, PATIENCE, SQL, archive, ask, body, cells, tables, until

KINDS: dict[str, object] = {}
"""What shows that a fault does what its name says."""


def shows(kind):
    def note(function):
        KINDS[kind] = function
        return function

    return note


def get(server):
    return requests.get(server.url + FRAME, timeout=PATIENCE)


QUERY = "select specObjID, bestObjID, z from SpecObjAll where z > 1 order by z"
HONEST = "#Table1\nspecObjID,bestObjID,z\n299489677444933632,1237648720693755919,1.1\n10000000000000000001,1237648720693755918,2.3412345678901234\n"


def rows_of(server):
    answer = ask(server, QUERY)
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    return answer.text


def add_status(kind, status, pattern):
    @shows(kind)
    def show(server):
        for answer in (get(server), ask(server, QUERY)):
            assert answer.status_code == status
            assert re.search(pattern, answer.text)
            assert server.hits[-1].complete
        return answer


add_status("503", 503, "503 Service Unavailable")
add_status("404", 404, "Not Found")
add_status("401", 401, '"ErrorType": "Unauthorized"')
add_status("500json", 500, '"ErrorType": "InternalServerError"')
add_status("html200", 200, "<html>.*maintenance")
add_status("skyserver_error_html", 200, "<title>Skyserver Error</title>")
add_status("error_message", 200, "^#Table1\nerror_message\nerror: ")


@shows("429")
def too_many(server):
    assert (get(server).status_code, get(server).headers["Retry-After"]) == (429, "1")
    server.faults[:] = [Fault(".", "429", value=7)]
    assert get(server).headers["Retry-After"] == "7"


def other_body(server):
    answer = get(server)
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert server.hits[-1].complete
    return answer.content


@shows("wrong_bytes")
def wrong_bytes(server):
    assert other_body(server) == bytes(len(body("r")))


@shows("flip")
def flip(server):
    for value, at in ((None, len(body("r")) // 2), (5, 5)):
        server.faults[:] = [Fault("/sas/", "flip", value=value)]
        changed = [k for k, (a, b) in enumerate(zip(other_body(server), body("r"), strict=True)) if a != b]
        assert changed == [at]


@shows("other_file")
def other_file(server):
    assert other_body(server) == body("g")
    answer = requests.get(server.url + FRAME, headers={"Range": "bytes=0-0"}, timeout=PATIENCE)
    assert (answer.status_code, answer.content) == (206, b"g")  # a part is a part of the other one
    server.faults[:] = [Fault(".", "other_file", value=f"{FOLDER}/frame-i-000094-1-0010.fits.bz2")]
    assert other_body(server) == body("i")


@shows("trailing")
def trailing(server):
    received = other_body(server)
    assert received.startswith(body("r"))
    assert len(received) > len(body("r"))


@shows("etag_change")
def etag_change(server):
    assert len({get(server).headers["ETag"] for _ in range(3)}) == 3
    assert other_body(server) == body("r")


@shows("cut_row")
def cut_row(server):
    text = rows_of(server)
    assert HONEST.startswith(text)
    assert HONEST.rindex("1000") + 20 < len(text) < len(HONEST) - 10


@shows("drop_rows")
def drop_rows(server):
    assert rows_of(server) == HONEST[: HONEST.rindex("1000")]
    server.faults[:] = [Fault("SqlSearch", "drop_rows", value=2)]
    assert rows_of(server) == HONEST[: HONEST.index("2994")]


@shows("short_row")
def short_row(server):
    assert rows_of(server) == HONEST[: HONEST.rindex(",")] + "\n"


@shows("reorder")
def reorder(server):
    assert cells(rows_of(server)) == [row[::-1] for row in cells(HONEST)]


@shows("rename_column")
def rename_column(server):
    assert rows_of(server) == HONEST.replace("specObjID", "Column1")
    server.faults[:] = [Fault(".", "rename_column", value="plateID")]
    assert rows_of(server) == HONEST.replace("specObjID", "plateID")


@shows("float_ids")
def float_ids(server):
    assert cells(rows_of(server))[1:] == [
        ["2.99489677444934E+17", "1.23764872069376E+18", "1.1"],
        ["1.00000000000000E+19", "1.23764872069376E+18", "2.3412345678901234"],
    ]


def raw(server, enough=None):
    """What comes over the wire for a GET: (bytes, how it ended); "open" if after `enough` bytes of a body none follow."""
    with socket.create_connection(urlsplit(server.url).netloc.split(":"), timeout=PATIENCE) as connection:
        connection.sendall(f"GET {FRAME} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        received = b""
        try:
            while part := connection.recv(1 << 16):
                received += part
                if enough is not None and len(received.partition(b"\r\n\r\n")[2]) >= enough:
                    connection.settimeout(0.3)
        except TimeoutError:
            return received, "open"
        except ConnectionResetError:
            return received, "reset"
        return received, "closed"


HALF = body("r")[: len(body("r")) // 2]
SIZE = f"Content-Length: {len(body('r'))}\r\n".encode()


def broken(server, how, enough=None):
    received, end = raw(server, enough)
    assert end == how
    assert not server.hits[-1].complete
    head, _, rest = received.partition(b"\r\n\r\n")
    if received:
        assert head.startswith(b"HTTP/1.1 200 ")
        assert server.hits[-1].status == 200
    return head + b"\r\n", rest


@shows("cut_length")
def cut_length(server):
    head, rest = broken(server, "closed")
    assert SIZE in head
    assert rest == HALF
    assert server.hits[-1].bytes_sent == len(HALF)


@shows("cut_chunked")
def cut_chunked(server):
    head, rest = broken(server, "closed")
    assert b"Transfer-Encoding: chunked\r\n" in head
    assert b"Content-Length" not in head
    assert rest == b"%x\r\n" % len(HALF) + HALF + b"\r\n"


@shows("cut_no_length")
def cut_no_length(server):
    head, rest = broken(server, "closed")
    assert b"Content-Length" not in head
    assert b"Connection: close\r\n" in head
    assert rest == HALF
    assert get(server).content == HALF  # a client cannot know


@shows("stall")
def stall(server):
    head, rest = broken(server, "open", 1000)
    assert SIZE in head
    assert rest == body("r")[:1000]
    server.faults[:] = [Fault("/sas/", "stall", value=0.1)]
    assert broken(server, "closed")[1] == body("r")[:1000]


@shows("slow")
def slow(server):
    head, rest = broken(server, "open", 1)
    assert SIZE in head
    assert len(rest) == 1


@shows("reset")
def reset(server):
    head, rest = broken(server, "reset")
    assert SIZE in head
    assert rest == body("r")[:1000]


@shows("refuse")
def refuse(server):
    assert broken(server, "closed")[1] == b""
    assert server.hits[-1].status is None
    with pytest.raises(requests.ConnectionError):
        get(server)


def ranged(server):
    """Status, Content-Range and body of the answer to a request for the bytes 100 to 299."""
    reply = requests.get(server.url + FRAME, headers={"Range": "bytes=100-299"}, timeout=PATIENCE)
    return reply.status_code, reply.headers.get("Content-Range"), reply.content


def right_range():
    return f"bytes 100-299/{len(body('r'))}"


@shows("range_ignored")
def range_ignored(server):
    assert ranged(server) == (200, None, body("r"))


@shows("range_other")
def range_other(server):
    assert ranged(server) == (206, f"bytes 1100-1299/{len(body('r'))}", body("r")[1100:1300])


@shows("range_lie")
def range_lie(server):
    assert ranged(server) == (206, right_range(), body("r")[1100:1300])


@shows("range_short")
def range_short(server):
    assert ranged(server) == (206, f"bytes 100-199/{len(body('r'))}", body("r")[100:200])


@shows("range_cut")
def range_cut(server):
    assert ranged(server) == (206, right_range(), body("r")[100:200])


@shows("range_html")
def range_html(server):
    status, said, page = ranged(server)
    assert (status, said) == (206, right_range())
    assert page.startswith(b"<html>")


@shows("range_flip")
def range_flip(server):
    status, said, part = ranged(server)
    assert (status, said) == (206, right_range())
    assert sum(a != b for a, b in zip(part, body("r")[100:300], strict=True)) == 1


@shows("range_size")
def range_size(server):
    status, said, part = ranged(server)
    assert (status, part) == (206, body("r")[100:300])
    assert said.startswith("bytes 100-299/")
    assert said != right_range()


@shows("delay")
def delay(server):
    server.faults[:] = [Fault("/sas/", "delay", value=0.3)]
    start = time.monotonic()
    assert other_body(server) == body("r")
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_does_what_it_says(server, kind):
    server.faults[:] = [Fault("(GET|POST) /(sas|dr17)/", kind)]
    KINDS[kind](server)
    assert {hit.fault for hit in server.hits} == {kind}
    server.faults.clear()
    assert get(server).content == body("r")
    assert rows_of(server) == HONEST


def test_the_first_fault_that_matches_and_has_times_left_is_taken(server, cas):
    server.faults[:] = [Fault("frame-r", "503", 1), Fault("GET /sas/", "404", 2), Fault("floor.*BETWEEN", "401")]
    assert [get(server).status_code for _ in range(4)] == [503, 404, 404, 200]
    assert [fault.times for fault in server.faults] == [0, 0, None]
    assert ask(server, QUERY).status_code == 200
    sql = "select z from SpecObjAll where floor(z) BETWEEN 1 AND 2"
    assert ask(server, sql).status_code == 401  # found in the decoded query, not in the address
    assert requests.get(server.url + SQL, params={"cmd": sql}, timeout=PATIENCE).status_code == 401
    assert cas("POST", "contexts/DR17/query", {"Query": sql}).status_code == 401
    assert server.hits[-1].sql == sql


def test_a_job_whose_answer_is_lost_runs_and_one_that_is_turned_away_does_not(server, cas):
    server.faults[:] = [Fault("PUT .*/jobs", "503", 1), Fault("PUT .*/jobs", "cut_length", 1)]
    query = {"Query": "SELECT z INTO mydb.lost FROM SpecObjAll", "TaskName": "t"}
    assert cas("PUT", "contexts/DR17/jobs", query).status_code == 503
    time.sleep(0.05)
    assert tables(cas) == {}
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        cas("PUT", "contexts/DR17/jobs", query)
    until(lambda: tables(cas) == {"lost": 2})
    cas("POST", "contexts/MyDB/query", {"Query": "DROP TABLE lost"})


def test_lies_about_casjobs_csv_too(server, cas):
    server.faults[:] = [Fault("/query", "drop_rows")]
    assert cas("POST", "contexts/DR17/query", {"Query": QUERY}).text == HONEST[len("#Table1\n") : HONEST.rindex("1000")]


def test_a_client_that_leaves_is_noticed_and_no_longer_counted(server):
    server.faults[:] = [Fault("/sas/", "stall")]
    server.peak.clear()
    with contextlib.ExitStack() as clients:
        for _ in range(3):
            place = urlsplit(server.url).netloc.split(":")
            client = clients.enter_context(socket.create_connection(place, timeout=PATIENCE))
            client.sendall(f"GET {FRAME} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        until(lambda: server.peak.get("/sas") == 3)
    server.faults.clear()

    def alone():
        server.peak.clear()
        return get(server).ok and server.peak == {"/sas": 1}

    until(alone)


def test_no_fault_or_open_connection_holds_up_the_end(folder):
    with archive(
        folder, faults=[Fault("frame-r", "stall"), Fault("frame-i", "delay", value=1000)], job_seconds=1000
    ) as server:
        errors = []

        def wait(url):
            try:
                requests.get(url, timeout=PATIENCE)
            except requests.RequestException as error:
                errors.append(error)

        threads = [
            threading.Thread(target=wait, args=[server.url + FRAME.replace("-r-", f"-{band}-")]) for band in "rri"
        ]
        for thread in threads:
            thread.start()
        idle = requests.Session()
        idle.get(server.url + FRAME.replace("-r-", "-g-"), timeout=PATIENCE)
        time.sleep(0.1)
        start = time.monotonic()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < PATIENCE / 2
    assert len(errors) == 3
    with pytest.raises(requests.ConnectionError):
        idle.get(server.url + FRAME.replace("-r-", "-g-"), timeout=PATIENCE)
    idle.close()


def test_an_unknown_kind_of_fault_is_told_at_once(folder):
    with pytest.raises(ValueError, match="no kind of fault: 502"), archive(folder, faults=[Fault("/", "502")]):
        pass
