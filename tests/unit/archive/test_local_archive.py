"""The local archive: it answers as the real services do, and each lie is the one that its name says."""

import csv
import http.client
import io
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest
import requests

from crossz.archive.serve import FAULTS, Fault, serve

SQL = "/dr17/SkyServerWS/SearchTools/SqlSearch"
FOLDER = "dr17/eboss/photoObj/frames/301/94/1"
FRAME = f"/sas/{FOLDER}/frame-r-000094-1-0010.fits.bz2"
ROWS = [
    ("10000000000000000001", 1237648720693755918, "QSO", 2.3412345678901234, "v5_13_2", -9999.0),
    ("299489677444933632", 1237648720693755919, "qso", 1.1, "", None),
    ("299489677444933633", 1237648720693755920, "GALAXY", None, None, 19.5),
    ("299489677444933634", 1237648720693755921, "QSO", 0.5, "26", 0.0),
]
NAMES = ("specObjID", "bestObjID", "class", "z", "run2d", "psfMag_u")
LOGIN = {"auth": {"identity": {"password": {"user": {"name": "user", "password": "password"}}}}}


def body(band):
    return f"{band} ".encode() * 3000 + bytes(range(256))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An archive of two tables, three frames and a spectrum."""
    root = tmp_path_factory.mktemp("archive")
    with sqlite3.connect(root / "sky.sqlite") as connection:
        connection.execute(
            "CREATE TABLE SpecObjAll (specObjID TEXT, bestObjID INTEGER, class TEXT COLLATE NOCASE, z REAL, run2d TEXT, psfMag_u REAL)"
        )
        connection.executemany("INSERT INTO SpecObjAll VALUES (?, ?, ?, ?, ?, ?)", ROWS)
        connection.execute("CREATE TABLE PhotoObjAll (objID INTEGER, run INTEGER)")
        connection.executemany("INSERT INTO PhotoObjAll VALUES (?, ?)", [(row[1], 94) for row in ROWS])
    connection.close()
    for band in "gri":
        path = root / "sas" / FOLDER / f"frame-{band}-000094-1-0010.fits.bz2"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body(band))
    spectrum = root / "spectra/dr17/sdss/spectro/spec-0266-51602-0001.fits"
    spectrum.parent.mkdir(parents=True)
    spectrum.write_bytes(b"a spectrum")
    (root / "secret.txt").write_text("outside the roots")
    return root


def archive(folder, **options):
    return serve(folder / "sky.sqlite", [folder / "sas", folder / "spectra"], **options)


@pytest.fixture(scope="module")
def running(folder):
    with archive(folder, job_seconds=0.5) as server:
        yield server


@pytest.fixture
def server(running):
    """The one server of this module, as new: honest and with no hits."""
    running.faults.clear()
    running.hits.clear()
    return running


@pytest.fixture(scope="module")
def token(running):
    running.faults.clear()
    answer = requests.post(f"{running.url}/login-portal/keystone/v3/tokens", json=LOGIN, timeout=5)
    assert answer.status_code == 201
    return answer.headers["X-Subject-Token"]


@pytest.fixture
def cas(server, token):
    """A function (method, path, content, accept) -> answer of CasJobs."""

    def call(method, path, content=None, accept="text/plain"):
        headers = {"X-Auth-Token": token, "Accept": accept}
        return requests.request(
            method, f"{server.url}/CasJobs/RestApi/{path}", json=content, headers=headers, timeout=5
        )

    return call


def ask(server, sql, format="csv"):
    return requests.post(server.url + SQL, data={"cmd": sql, "format": format}, timeout=5)


def cells(text):
    return list(csv.reader(io.StringIO(text.removeprefix("#Table1\n"), newline="")))


def ended(cas, job):
    """The description of a job that is over."""
    for _ in range(200):
        found = cas("GET", f"jobs/{job}").json()
        if found["Status"] >= 3:
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def tables(cas):
    """Names and numbers of rows of MyDB's tables."""
    return {table["Name"]: table["Rows"] for table in cas("GET", "contexts/MyDB/Tables").json()}


def until(condition):
    """Wait for it, 5 s at most."""
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    assert condition()


def submit(cas, sql, context="DR17"):
    answer = cas("PUT", f"contexts/{context}/jobs", {"Query": sql, "TaskName": "test"})
    assert answer.status_code == 200
    return int(answer.text)


# SkyServer


def test_csv_keeps_ids_and_floats_and_tells_null_from_empty(server):
    answer = ask(server, f"SELECT {', '.join(NAMES)} FROM dr17.dbo.SpecObjAll ORDER BY bestObjID")
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.text == (
        "#Table1\n"
        "specObjID,bestObjID,class,z,run2d,psfMag_u\n"
        "10000000000000000001,1237648720693755918,QSO,2.3412345678901234,v5_13_2,-9999.0\n"
        "299489677444933632,1237648720693755919,qso,1.1,,null\n"
        "299489677444933633,1237648720693755920,GALAXY,null,null,19.5\n"
        "299489677444933634,1237648720693755921,QSO,0.5,26,0.0\n"
    )
    (hit,) = server.hits
    assert (hit.method, hit.path, hit.status, hit.complete) == ("POST", SQL, 200, True)
    assert hit.bytes_sent == len(answer.content)
    assert hit.sql.startswith("SELECT specObjID")


def test_json_and_get(server):
    parameters = {"cmd": "select top 1 specObjID, z, run2d from SpecObjAll where z is null", "format": "json"}
    answer = requests.get(server.url + SQL, params=parameters, timeout=5)
    assert answer.json() == [
        {"TableName": "Table1", "Rows": [{"specObjID": 299489677444933633, "z": None, "run2d": None}]}
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select count_big(*) as n from (select z from SpecObjAll) as q", [["n"], ["4"]]),
        ("select SPECOBJID, count(*), max(z) as z from SpecObjAll where class = 'galaxy' group by specobjid",
         [["SPECOBJID", "Column2", "z"], ["299489677444933633", "1", "null"]]),
        ("select floor(q.z * 100) as bin, count_big(*) as n from (select z from SpecObjAll where class = 'qso') as q "
         "group by floor(q.z * 100)", [["bin", "n"], ["50", "1"], ["110", "1"], ["234", "1"]]),
        ("select q.z from (select z from SpecObjAll) as q where floor(q.z * 100) is null", [["z"], ["null"]]),
        ("select q.z from (select top 2 z from SpecObjAll order by z desc) as q where floor(q.z * 100) between 100 and 200",
         [["z"], ["1.1"]]),
        ("with a as (select z from SpecObjAll) select min(z) as low from a", [["low"], ["0.5"]]),
        ("select b.run, a.z from SpecObjAll as a join PhotoObjAll as b on a.bestObjID = b.objID -- comment\n where z > 2",
         [["run", "z"], ["94", "2.3412345678901234"]]),
        ("select z from SpecObjAll where z > 9", [["z"]]),
        ("select z from SpecObjAll where z > 2 union all select z from SpecObjAll where z < 1",
         [["z"], ["2.3412345678901234"], ["0.5"]]),
    ],
)  # fmt: skip
def test_t_sql_means_what_it_means_to_sql_server(server, sql, expected):
    assert cells(ask(server, sql).text) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "drop table SpecObjAll",
        "delete from SpecObjAll",
        "select 1 as a; select 2 as b",
        "select z into mydb.a from SpecObjAll",
        "no words of SQL",
    ],
)
def test_only_a_select_is_admitted(server, sql):
    answer = ask(server, sql)
    assert answer.status_code == 200
    assert cells(answer.text) == [["error_message"], [f"error: must be a select statement: {sql}"]]


@pytest.mark.parametrize(
    "sql", ["select nosuch from SpecObjAll", "select z from", "select * from Nowhere", "select * from dbo.fGetNearby(1, 2)"]
)  # fmt: skip
def test_wrong_sql_is_a_json_error(server, sql):
    answer = ask(server, sql)
    assert answer.status_code == 500
    assert set(answer.json()) == {"ErrorCode", "ErrorType", "ErrorMessage", "LogMessageID", "LogTime"}
    assert (answer.json()["ErrorCode"], answer.json()["ErrorType"]) == (500, "InternalServerError")


def test_no_sky_still_serves_files(folder):
    with serve(None, [folder / "sas"]) as server:
        assert ask(server, "select z from SpecObjAll").status_code == 500
        assert requests.get(server.url + FRAME, timeout=5).content == body("r")


def test_rows_beyond_the_limit_are_cut_without_a_word_and_queries_beyond_theirs_are_rejected(folder):
    with archive(folder, max_rows=3, queries_per_minute=1) as server:
        assert len(cells(ask(server, "select z from SpecObjAll").text)) == 1 + 3
        answer = ask(server, "SELECT\n z from SpecObjAll")
        assert answer.status_code == 200
        assert answer.text.startswith(
            '#Table1\nerror_message\n"ERROR: Maximum 1 queries allowed per minute. Rejected query: SELECT\n'
        )


def test_astroquery_works_unchanged(server, monkeypatch):
    from astroquery.sdss import SDSS, conf

    monkeypatch.setattr(conf, "skyserver_baseurl", server.url)
    sql = "select top 3 specObjID, z, run2d from SpecObjAll\n-- a comment\norder by bestObjID"
    table = SDSS.query_sql(sql, data_release=17, timeout=10, cache=False)
    assert table.colnames == ["specObjID", "z", "run2d"]
    assert [int(number) for number in table["specObjID"]] == [int(row[0]) for row in ROWS[:3]]
    assert server.hits[0].path == "/dr17/en/tools/search/x_results.aspx"
    server.faults[:] = [Fault("x_results", "error_message")]
    with pytest.raises(Exception, match="error_message"):
        SDSS.query_sql(sql, data_release=17, timeout=10, cache=False)


# Login and CasJobs


def test_a_wrong_password_is_refused_and_echoed(server):
    wrong = json.loads(json.dumps(LOGIN).replace('password"}', 'guess"}'))
    answer = requests.post(f"{server.url}/login-portal/keystone/v3/tokens", json=wrong, timeout=5)
    assert answer.status_code == 401
    assert "guess" in answer.json()["ErrorMessage"]
    assert "X-Subject-Token" not in answer.headers
    assert "guess" not in repr(server.hits)


@pytest.mark.parametrize("headers", [{}, {"X-Auth-Token": "invented"}])
def test_casjobs_wants_a_token(server, headers):
    for method, path in (
        ("GET", "contexts/MyDB/Tables"),
        ("PUT", "contexts/DR17/jobs"),
        ("POST", "contexts/MyDB/query"),
    ):
        answer = requests.request(method, f"{server.url}/CasJobs/RestApi/{path}", headers=headers, timeout=5)
        assert answer.status_code == 401
        assert answer.json()["ErrorType"] == "Unauthorized"


def test_a_job_fills_its_table_by_and_by_and_only_once(server, cas):
    job = submit(
        cas, "SELECT q.specObjID, q.z, q.class INTO mydb.Quasars FROM (SELECT * FROM SpecObjAll) AS q ORDER BY z"
    )
    until(lambda: tables(cas) == {"Quasars": 2})  # half of it
    assert cas("GET", f"jobs/{job}").json()["Status"] == 1
    found = ended(cas, job)
    assert (found["JobID"], found["Status"], found["Rows"], found["TaskName"]) == (job, 5, 4, "test")
    assert found["TimeSubmit"] <= found["TimeStart"] <= found["TimeEnd"]
    assert tables(cas) == {"Quasars": 4}
    for name in ("quasars", "MyDB.Quasars", "mydb.dbo.quasars"):
        answer = cas(
            "POST", "contexts/MyDB/query", {"Query": f"SELECT count_big(*) AS n FROM {name} where class = 'qso'"}
        )
        assert answer.text == "n\n3\n"
    query = "SELECT specObjID, z FROM mydb.quasars WHERE z IS NULL"
    assert cas("POST", "contexts/DR17/query", {"Query": query}).text == "specObjID,z\n299489677444933633,null\n"
    again = ended(cas, submit(cas, "SELECT z INTO mydb.QUASARS FROM SpecObjAll"))
    assert again["Status"] == 4
    assert "already an object named 'QUASARS'" in again["Message"]
    assert cas("POST", "contexts/MyDB/query", {"Query": "DROP TABLE Quasars"}).status_code == 200
    assert tables(cas) == {}


def test_quick_queries_in_three_formats_into_a_table_and_out_again(server, cas):
    query = {"Query": "SELECT TOP 1 specObjID, z FROM SpecObjAll WHERE z > 2", "TaskName": "t"}
    number, z = int(ROWS[0][0]), ROWS[0][3]
    assert cas("POST", "contexts/DR17/query", query).text == f"specObjID,z\n{number},{z}\n"
    assert cas("POST", "contexts/DR17/query", query, "application/json+array").json() == {
        "Result": [{"TaskName": "t", "Columns": ["specObjID", "z"], "Data": [[number, z]]}]
    }
    assert cas("POST", "contexts/DR17/query", query, "application/json").json() == {
        "Result": [{"TaskName": "t", "Data": [{"specObjID": number, "z": z}]}]
    }
    into = cas("POST", "contexts/DR17/query", {"Query": "SELECT z INTO mydb.quick FROM SpecObjAll"})
    assert into.text == "Rows affected\n4\n"
    assert cas("POST", "contexts/MyDB/query", {"Query": "SELECT count(*) AS n FROM quick"}).text == "n\n4\n"
    assert cas("POST", "contexts/MyDB/query", {"Query": "SELECT z FROM SpecObjAll"}).status_code == 500
    assert cas("POST", "contexts/DR17/query", {"Query": "SELECT z FROM quick"}).status_code == 500
    assert cas("POST", "contexts/MyDB/query", {"Query": "DROP TABLE mydb.quick"}).status_code == 200
    assert cas("POST", "contexts/DR17/query", {"Query": "DROP TABLE SpecObjAll"}).status_code == 500
    assert cas("POST", "contexts/DR99/query", query).status_code == 404


def test_a_job_can_be_canceled_and_leaves_half_a_table(server, cas):
    job = submit(cas, "SELECT z INTO mydb.half FROM SpecObjAll")
    until(lambda: tables(cas) == {"half": 2})
    assert cas("DELETE", f"jobs/{job}").status_code == 200
    assert ended(cas, job)["Status"] == 3
    assert tables(cas) == {"half": 2}
    cas("POST", "contexts/MyDB/query", {"Query": "DROP TABLE half"})
    assert ended(cas, submit(cas, "SELECT nosuch INTO mydb.x FROM SpecObjAll"))["Status"] == 4
    assert cas("GET", "jobs/1").status_code == 404


# Files


def test_files_ranges_and_names(server):
    url = server.url + FRAME
    whole = requests.get(url, timeout=5)
    assert whole.content == body("r")
    head = requests.head(url, timeout=5)
    assert (head.status_code, head.content, int(head.headers["Content-Length"])) == (200, b"", len(body("r")))
    assert head.headers["ETag"] == whole.headers["ETag"]
    assert {"ETag", "Last-Modified", "Accept-Ranges"} <= set(whole.headers)

    def part(text, **more):
        answer = requests.get(url, headers={"Range": text} | more, timeout=5)
        return answer.status_code, answer.content, answer.headers.get("Content-Range")

    size = len(body("r"))
    assert part("bytes=10-19") == (206, body("r")[10:20], f"bytes 10-19/{size}")
    assert part("bytes=100-") == (206, body("r")[100:], f"bytes 100-{size - 1}/{size}")
    assert part("bytes=-7") == (206, body("r")[-7:], f"bytes {size - 7}-{size - 1}/{size}")
    assert part("bytes=0-999999")[0:2] == (206, body("r"))
    assert part(f"bytes={size}-") == (416, b"", f"bytes */{size}")
    assert part("bytes=0-1,4-5")[0:2] == (200, body("r"))
    assert part("bytes=5-", **{"If-Range": '"another"'})[0:2] == (200, body("r"))
    assert part("bytes=5-", **{"If-Range": whole.headers["ETag"]})[0] == 206
    spectrum = requests.get(f"{server.url}/sas/dr17/sdss/spectro/spec-0266-51602-0001.fits", timeout=5)
    assert spectrum.content == b"a spectrum"
    assert server.peak["/sas"] == 1


@pytest.mark.parametrize(
    "path",
    [f"{FRAME}x", f"/sas/{FOLDER}", "/sas/../secret.txt", "/sas/%2e%2e/secret.txt", "/sas//etc/passwd", "/sas/a%00b", "/"],
)  # fmt: skip
def test_what_is_not_there_or_outside_the_roots_is_missing(server, path):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=5)
    connection.request("GET", path)  # as it stands; requests would tidy it up
    answer = connection.getresponse()
    assert answer.status == 404
    assert answer.read().startswith(b"<html>")
    connection.close()


def test_one_connection_serves_many_requests_and_peak_counts_those_at_once(folder):
    with archive(folder) as server:
        with requests.Session() as session:
            for _ in range(2):
                assert session.get(server.url + FRAME, timeout=5).ok
                assert session.post(server.url + SQL, data={"cmd": "select 1 as a"}, timeout=5).ok
        assert server.peak == {"/sas": 1, "/dr17": 1}
        server.faults.append(Fault("GET /sas/", "delay", value=0.5))
        threads = [threading.Thread(target=requests.get, args=[server.url + FRAME]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.peak["/sas"] == 4


# Lies

KINDS: dict[str, object] = {}
"""What shows that a fault does what its name says."""


def shows(kind):
    def note(function):
        KINDS[kind] = function
        return function

    return note


def get(server):
    return requests.get(server.url + FRAME, timeout=5)


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
    answer = requests.get(server.url + FRAME, headers={"Range": "bytes=0-0"}, timeout=5)
    assert (answer.status_code, answer.content) == (206, b"g")  # a part is a part of the other one
    server.faults[:] = [Fault(".", "other_file", value=f"{FOLDER}/frame-i-000094-1-0010.fits.bz2")]
    assert other_body(server) == body("i")


@shows("trailing")
def trailing(server):
    found = other_body(server)
    assert found.startswith(body("r"))
    assert len(found) > len(body("r"))


@shows("etag_change")
def etag_change(server):
    assert len({get(server).headers["ETag"] for _ in range(3)}) == 3
    assert other_body(server) == body("r")


@shows("cut_row")
def cut_row(server):
    found = rows_of(server)
    assert HONEST.startswith(found)
    assert HONEST.rindex("1000") + 20 < len(found) < len(HONEST) - 10


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


def raw(server, seconds=0.6):
    """Everything that comes over the wire for a GET, within so long: (bytes, how it ended)."""
    with socket.create_connection(urlsplit(server.url).netloc.split(":"), timeout=seconds) as connection:
        connection.sendall(f"GET {FRAME} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        end, parts = time.monotonic() + seconds, []
        try:
            while time.monotonic() < end:
                part = connection.recv(1 << 16)
                if not part:
                    return b"".join(parts), "closed"
                parts.append(part)
        except TimeoutError:
            pass
        except ConnectionResetError:
            return b"".join(parts), "reset"
        return b"".join(parts), "open"


HALF = body("r")[: len(body("r")) // 2]
SIZE = f"Content-Length: {len(body('r'))}\r\n".encode()


def broken(server, how):
    found, end = raw(server)
    assert end == how
    assert not server.hits[-1].complete
    head, _, rest = found.partition(b"\r\n\r\n")
    if found:
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
    head, rest = broken(server, "open")
    assert SIZE in head
    assert rest == body("r")[:1000]
    server.faults[:] = [Fault("/sas/", "stall", value=0.1)]
    assert broken(server, "closed")[1] == body("r")[:1000]


@shows("slow")
def slow(server):
    head, rest = broken(server, "open")
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
    reply = requests.get(server.url + FRAME, headers={"Range": "bytes=100-299"}, timeout=5)
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
    status, told, page = ranged(server)
    assert (status, told) == (206, right_range())
    assert page.startswith(b"<html>")


@shows("range_flip")
def range_flip(server):
    status, told, part = ranged(server)
    assert (status, told) == (206, right_range())
    assert sum(a != b for a, b in zip(part, body("r")[100:300], strict=True)) == 1


@shows("range_size")
def range_size(server):
    status, told, part = ranged(server)
    assert (status, part) == (206, body("r")[100:300])
    assert told.startswith("bytes 100-299/")
    assert told != right_range()


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
    assert requests.get(server.url + SQL, params={"cmd": sql}, timeout=5).status_code == 401
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
    for _ in range(3):
        raw(server, 0.1)
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
                requests.get(url, timeout=30)
            except requests.RequestException as error:
                errors.append(error)

        threads = [
            threading.Thread(target=wait, args=[server.url + FRAME.replace("-r-", f"-{band}-")]) for band in "rri"
        ]
        for thread in threads:
            thread.start()
        idle = requests.Session()
        idle.get(server.url + FRAME.replace("-r-", "-g-"), timeout=5)
        time.sleep(0.1)
        start = time.monotonic()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start < 3
    assert len(errors) == 3
    with pytest.raises(requests.ConnectionError):
        idle.get(server.url + FRAME.replace("-r-", "-g-"), timeout=5)
    idle.close()


def test_an_unknown_kind_of_fault_is_told_at_once(folder):
    with pytest.raises(ValueError, match="no kind of fault: 502"), archive(folder, faults=[Fault("/", "502")]):
        pass


def test_the_command_line(folder, tmp_path):
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps([{"path": "frame-r", "kind": "503", "times": 1}]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "crossz.archive.serve", folder, "--port", str(port), "--faults", faults],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"CROSSZ_SERVE_PASSWORD": "canary", "PYTHONPATH": "src"},
    )  # fmt: skip
    try:
        url = process.stdout.readline().strip()
        assert url == f"http://127.0.0.1:{port}"
        assert [requests.get(url + FRAME, timeout=5).status_code for _ in range(2)] == [503, 200]
        login = json.loads(json.dumps(LOGIN).replace('password"}', 'canary"}'))
        assert requests.post(f"{url}/login-portal/keystone/v3/tokens", json=login, timeout=5).status_code == 201
    finally:
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=5)[0]
    assert process.returncode == 0
    lines = told.splitlines()
    assert lines[0].endswith("bytes [503]")
    assert lines[1] == f"GET {FRAME} 200 {len(body('r'))} bytes"
    assert "canary" not in told
