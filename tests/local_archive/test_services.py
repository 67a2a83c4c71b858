"""The local archive answers as the real services do."""

import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import requests
from astropy.table import Table
from helpers import ROOT

from local_archive import Fault, serve
from local_archive.example import (
    FOLDER,
    FRAME,
    LOGIN,
    NAMES,
    PATIENCE,
    ROWS,
    SQL,
    archive,
    ask,
    body,
    cells,
    ended,
    submit,
    tables,
    until,
)

# SkyServer


def test_csv_keeps_ids_and_floats_and_null_is_an_empty_cell(server):
    answer = ask(server, f"SELECT {', '.join(NAMES)} FROM dr17.dbo.SpecObjAll ORDER BY bestObjID")
    assert answer.headers["Content-Type"] == "text/csv"
    assert answer.text == (
        "#Table1\n"
        "specObjID,bestObjID,class,z,run2d,psfMag_u\n"
        "10000000000000000001,1237648720693755918,QSO,2.3412345678901234,v5_13_2,-9999.0\n"
        "299489677444933632,1237648720693755919,qso,1.1,,\n"
        "299489677444933633,1237648720693755920,GALAXY,,,19.5\n"
        "299489677444933634,1237648720693755921,QSO,0.5,26,0.0\n"
    )
    (hit,) = server.hits
    assert (hit.method, hit.path.partition("?")[0], hit.status, hit.complete) == ("GET", SQL, 200, True)
    assert hit.bytes_sent == len(answer.content)
    assert hit.sql.startswith("SELECT specObjID")


def test_json_and_get(server):
    parameters = {"cmd": "select top 1 specObjID, z, run2d from SpecObjAll where z is null", "format": "json"}
    answer = requests.get(server.url + SQL, params=parameters, timeout=PATIENCE)
    assert answer.json() == [
        {"TableName": "Table1", "Rows": [{"specObjID": 299489677444933633, "z": None, "run2d": None}]}
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select count_big(*) as n from (select z from SpecObjAll) as q", [["n"], ["4"]]),
        ("select SPECOBJID, count(*), max(z) as z from SpecObjAll where class = 'galaxy' group by specobjid",
         [["SPECOBJID", "Column2", "z"], ["299489677444933633", "1", ""]]),
        ("select floor(q.z * 100) as bin, count_big(*) as n from (select z from SpecObjAll where class = 'qso') as q "
         "group by floor(q.z * 100)", [["bin", "n"], ["50", "1"], ["110", "1"], ["234", "1"]]),
        ("select q.z from (select z from SpecObjAll) as q where floor(q.z * 100) is null", [["z"], []]),
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
        assert requests.get(server.url + FRAME, timeout=PATIENCE).content == body("r")


def test_rows_beyond_the_limit_are_cut_without_a_word_and_queries_beyond_theirs_are_rejected(folder):
    with archive(folder, max_rows=3, queries_per_minute=1) as server:
        assert len(cells(ask(server, "select z from SpecObjAll").text)) == 1 + 3
        answer = ask(server, "SELECT\n z from SpecObjAll")
        assert answer.status_code == 200
        assert answer.text.startswith(
            '#Table1\nerror_message\n"ERROR: Maximum 1 queries allowed per minute. Rejected query: SELECT\n'
        )


def get(server, path, **options):
    return requests.get(server.url + path, timeout=PATIENCE, **options)


def test_the_web_service_reads_the_address_alone_and_the_page_a_form_too(server):
    query = {"cmd": "select count(*) as n from SpecObjAll", "format": "csv"}
    for path in (SQL, SQL.upper().replace("/DR17", "/dr17"), "/DR17/EN/tools/search/X_RESULTS.ASPX"):
        assert get(server, path, params=query).text == "#Table1\nn\n4\n"
        assert requests.post(server.url + path, params=query, timeout=PATIENCE).text == "#Table1\nn\n4\n"
    assert requests.post(server.url + SQL, data=query, timeout=PATIENCE).status_code == 400
    page = server.url + "/dr17/en/tools/search/x_results.aspx"
    assert requests.post(page, data=query, timeout=PATIENCE).text == "#Table1\nn\n4\n"
    assert get(server, SQL, params={"cmd": f"select 1 as a -- {'x' * 2048}"}).status_code == 404


def test_fits_where_fits_is_asked_for(server, cas):
    query = "select bestObjID, z from SpecObjAll order by bestObjID"
    for answer in (
        ask(server, query, "fits"),
        cas("POST", "contexts/DR17/query", {"Query": query}, "application/fits"),
    ):
        table = Table.read(io.BytesIO(answer.content), format="fits", hdu=1)
        assert table["bestObjID"].tolist() == [row[1] for row in ROWS]


def test_functions_of_the_database(server):
    assert "objID" in [
        row["name"] for row in ask(server, "select * from dbo.fDocColumns('PhotoObjAll')", "json").json()[0]["Rows"]
    ]
    ((objID, ra, dec),) = cells(ask(server, "select top 1 objID, ra, dec from PhotoObjAll where mode = 1").text)[1:]
    near = f"select objID, distance from dbo.fGetNearbyObjEq({ra}, {dec}, 0.1) order by distance"
    assert cells(ask(server, near).text)[1] == [objID, "0.0"]
    assert cells(ask(server, f"select dbo.fGetNearestObjIdEq({ra}, {dec}, 0.1) as id").text)[1] == [objID]
    assert cells(ask(server, "select dbo.fPhotoTypeN(6) as t").text)[1] == ["STAR"]


@pytest.mark.parametrize(
    ("query", "firstcol", "columns"),
    [
        ("SELECT p.objID, p.ra FROM #upload u LEFT JOIN #x x ON x.up_id = u.up_id LEFT JOIN PhotoObjAll p ON p.objID = x.objID", 1,
         ["name", "objID", "ra"]),
        ("select p.ra from #upload u join #x x on x.up_id = u.up_id join PhotoObjAll p on p.objID = x.objID", 0, ["objID", "ra"]),
        ("SELECT p.ra, p.objID FROM #upload u JOIN #x x ON x.up_id = u.up_id JOIN PhotoObjAll p ON p.objID = x.objID", 1,
         ["name", "objID", "ra", "objID"]),
    ],
)  # fmt: skip
def test_the_query_of_a_cross_identification_is_rewritten_at_its_select(server, query, firstcol, columns):
    ((objID, ra, dec),) = cells(ask(server, "select top 1 objID, ra, dec from PhotoObjAll where mode = 1").text)[1:]
    form = {
        "searchtool": "CrossID",
        "uquery": query,
        "firstcol": firstcol,
        "radius": 0.1,
        "photoScope": "nearPrim",
        "format": "csv",
    }
    upload = f"name ra dec\na {ra} {dec}\nb 10.0 -80.0"
    page = server.url + "/dr17/en/tools/search/X_Results.aspx"
    found = cells(requests.post(page, data=form, files={"upload": ("a", upload)}, timeout=PATIENCE).text)
    assert found[0] == columns
    assert found[1][columns.index("objID")] == objID
    assert found[2:] == ([["b", "", ""]] if "LEFT" in query else [])
    for radius in (0, 3.1):
        answer = requests.post(page, data=form | {"radius": radius}, files={"upload": ("a", upload)}, timeout=PATIENCE)
        assert answer.status_code == 500


# Login and CasJobs


def test_a_wrong_password_is_refused_and_echoed(server):
    wrong = json.loads(json.dumps(LOGIN).replace('password"}', 'guess"}'))
    answer = requests.post(f"{server.url}/login-portal/keystone/v3/tokens", json=wrong, timeout=PATIENCE)
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
        answer = requests.request(method, f"{server.url}/CasJobs/RestApi/{path}", headers=headers, timeout=PATIENCE)
        assert answer.status_code == 401
        assert answer.json()["ErrorType"] == "Unauthorized"


def test_a_job_fills_its_table_by_and_by_and_only_once(server, cas):
    job = submit(
        cas, "SELECT q.specObjID, q.z, q.class INTO mydb.Quasars FROM (SELECT * FROM SpecObjAll) AS q ORDER BY z"
    )
    until(lambda: tables(cas) == {"Quasars": 2})  # half of it
    assert cas("GET", f"jobs/{job}").json()["Status"] == 1
    job_end = ended(cas, job)
    assert (job_end["JobID"], job_end["Status"], job_end["Rows"], job_end["TaskName"]) == (job, 5, 4, "test")
    assert job_end["TimeSubmit"] <= job_end["TimeStart"] <= job_end["TimeEnd"]
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
    full = requests.get(url, timeout=PATIENCE)
    assert full.content == body("r")
    head = requests.head(url, timeout=PATIENCE)
    assert (head.status_code, head.content, int(head.headers["Content-Length"])) == (200, b"", len(body("r")))
    assert head.headers["ETag"] == full.headers["ETag"]
    assert {"ETag", "Last-Modified", "Accept-Ranges"} <= set(full.headers)

    def part(text, **more):
        answer = requests.get(url, headers={"Range": text} | more, timeout=PATIENCE)
        return answer.status_code, answer.content, answer.headers.get("Content-Range")

    size = len(body("r"))
    assert part("bytes=10-19") == (206, body("r")[10:20], f"bytes 10-19/{size}")
    assert part("bytes=100-") == (206, body("r")[100:], f"bytes 100-{size - 1}/{size}")
    assert part("bytes=-7") == (206, body("r")[-7:], f"bytes {size - 7}-{size - 1}/{size}")
    assert part("bytes=0-999999")[0:2] == (206, body("r"))
    assert part(f"bytes={size}-") == (416, b"", f"bytes */{size}")
    assert part("BYTES=0-1")[0:2] == (206, body("r")[:2])
    assert part("bytes=-0")[0] == 416
    for text in ("bytes=0-1,4-5", "bytes=5-3", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=1-2-3"):
        assert part(text)[0:2] == (200, body("r"))
    assert part("bytes=5-", **{"If-Range": '"another"'})[0:2] == (200, body("r"))
    assert part("bytes=5-", **{"If-Range": full.headers["ETag"]})[0] == 206
    spectrum = requests.get(f"{server.url}/sas/dr17/sdss/spectro/spec-0266-51602-0001.fits", timeout=PATIENCE)
    assert spectrum.content == b"a spectrum"
    assert server.peak["/sas"] == 1


@pytest.mark.parametrize(
    "path",
    [f"{FRAME}x", f"/sas/{FOLDER}", "/sas/../secret.txt", "/sas/%2e%2e/secret.txt", "/sas//etc/passwd", "/sas/a%00b", "/"],
)  # fmt: skip
def test_what_is_not_there_or_outside_the_roots_is_missing(server, path):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
    connection.request("GET", path)  # as it stands; requests would tidy it up
    answer = connection.getresponse()
    assert answer.status == 404
    assert answer.read().startswith(b"<html>")
    connection.close()


def test_one_connection_serves_many_requests_and_peak_counts_those_at_once(folder):
    with archive(folder) as server:
        with requests.Session() as session:
            for _ in range(2):
                assert session.get(server.url + FRAME, timeout=PATIENCE).ok
                assert session.get(server.url + SQL, params={"cmd": "select 1 as a"}, timeout=PATIENCE).ok
        assert server.peak == {"/sas": 1, "/dr17": 1}
        server.faults.append(Fault("GET /sas/", "delay", value=1000))

        def get():
            with suppress(requests.RequestException):  # the server ends
                requests.get(server.url + FRAME, timeout=PATIENCE)

        threads = [threading.Thread(target=get) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: server.peak["/sas"] == 4)
    for thread in threads:
        thread.join()


# The command line


def test_the_command_line(folder, tmp_path):
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps([{"path": "frame-r", "kind": "503", "times": 1}]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.local_archive", folder, "--port", str(port), "--faults", faults],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"CROSSZ_SERVE_PASSWORD": "canary"},
    )  # fmt: skip
    try:
        url = process.stdout.readline().strip()
        assert url == f"http://127.0.0.1:{port}"
        assert [requests.get(url + FRAME, timeout=PATIENCE).status_code for _ in range(2)] == [503, 200]
        login = json.loads(json.dumps(LOGIN).replace('password"}', 'canary"}'))
        assert requests.post(f"{url}/login-portal/keystone/v3/tokens", json=login, timeout=PATIENCE).status_code == 200
    finally:
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0
    lines = printed.splitlines()
    # A line is printed after its answer, by a thread of its own: two lines can change places.
    assert [line.endswith("bytes [503]") for line in lines].count(True) == 1
    assert f"GET {FRAME} 200 {len(body('r'))} bytes" in lines
    assert "canary" not in printed
