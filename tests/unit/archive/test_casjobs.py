"""CasJobs: every call survives a fault, and no job is submitted twice."""

import hashlib
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from fetching import DIGEST, SQL, answering, asked, fetch
from helpers import ROOT, archive
from local_archive import Fault, serve

from crossz.archive import casjobs
from crossz.archive.http import Client, limits
from crossz.archive.responses import Reply
from crossz.archive.sql import archive_query
from crossz.core.errors import CrosszError, Refused
from crossz.core.files import read_json

pytestmark = pytest.mark.usefixtures("login")


CALLS = ["POST /login", "PUT .*/jobs", "GET .*/jobs/", "GET .*/Tables", "POST .*/query|SELECT n FROM"]
KINDS = ["503", "html200", "reset", "cut_no_length", "401"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [(path, kind) for path in CALLS for kind in KINDS if (path, kind) != ("POST /login", "401")],  # that is a refusal
)
def test_every_call_of_casjobs_survives_one_fault(server, honest, tmp_path, path, kind):
    server.faults.append(Fault(path, kind, 1))
    pd.testing.assert_frame_equal(fetch(server, tmp_path), honest)
    assert not [fault for fault in server.faults if fault.times]


@pytest.mark.parametrize("body", ['[{"Name": 5}]', '[{"Name": null}]', '[{"name": "a"}]', "[1]", "{}", "<html>"])
def test_tables_without_names_are_refused_and_asked_for_again(monkeypatch, body):
    monkeypatch.setenv("SCISERVER_TOKEN", "token")
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with answering((head + body).encode()) as url, Client(limits(archive(url))) as client:
        with pytest.raises(CrosszError, match=r"not fetched after 2 attempt.*not (a list of tables|JSON)"):
            casjobs.Session(client, archive(url)).tables()


@pytest.mark.parametrize("status", ["true", "1.0", '"1"', "[1]", "99", "null", "NaN"])
def test_a_status_that_is_none_is_no_job_under_way(status):
    reply = Reply("http://a", f'{{"Status": {status}}}'.encode(), {})
    with pytest.raises(Refused, match="not a job's description"):
        casjobs._description(reply)


def test_an_expired_token_without_a_password_says_so(server, tmp_path, monkeypatch):
    monkeypatch.delenv("SCISERVER_PASSWORD")
    monkeypatch.setenv("SCISERVER_TOKEN", "stale-canary")
    with pytest.raises(CrosszError, match=r"does not accept the SciServer token.*may have expired") as caught:
        fetch(server, tmp_path)
    assert "stale-canary" not in str(caught.value)


def test_a_finished_table_is_reused_even_without_any_memory_of_its_job(server, honest, tmp_path):
    fetch(server, tmp_path / "first")
    assert asked(server, "PUT", "/jobs") == 2
    pd.testing.assert_frame_equal(fetch(server, tmp_path / "second"), honest)
    assert asked(server, "PUT", "/jobs") == 2


def test_a_job_under_way_is_waited_for_and_not_submitted_again(small_sky, honest, tmp_path):
    with serve(small_sky / "sky.sqlite", [], job_seconds=0.6) as server:
        checked = archive_query(SQL.read_text(), "extended.sql", "DR17")
        with Client(limits(archive(server.url))) as client:
            session = casjobs.Session(client, archive(server.url))
            address = hashlib.sha256(archive(server.url)["casjobs"].encode()).hexdigest()[:6]
            state = tmp_path / "cache" / f"{DIGEST}-{address}" / "jobs.json"
            job = casjobs._submit(session, f"crossz_{DIGEST}_n", f"SELECT COUNT_BIG(*) AS n INTO mydb.crossz_{DIGEST}_n FROM ({checked.text}) AS q", "test")  # fmt: skip
            casjobs._remember(state, f"crossz_{DIGEST}_n", job)
        pd.testing.assert_frame_equal(fetch(server, tmp_path), honest)
        assert asked(server, "PUT", "/jobs") == 2


def test_an_unfinished_table_that_nobody_fills_is_made_anew(small_sky, honest, tmp_path):
    with serve(small_sky / "sky.sqlite", []) as server:
        with Client(limits(archive(server.url))) as client:
            session = casjobs.Session(client, archive(server.url))
            into = f"SELECT TOP 3 objID INTO mydb.crossz_{DIGEST} FROM PhotoObjAll"
            casjobs._submit(session, f"crossz_{DIGEST}", into, "test")
        pd.testing.assert_frame_equal(fetch(server, tmp_path), honest)
        assert asked(server, "POST", "/query", "DROP TABLE") == 1


@pytest.mark.parametrize("kind", ["cut_no_length", "cut_length", "reset"])
def test_a_job_whose_number_was_lost_is_found_and_not_submitted_again(small_sky, honest, tmp_path, kind):
    with serve(small_sky / "sky.sqlite", [], job_seconds=0.3) as server:
        server.faults.append(Fault("PUT .*/jobs", kind, 1))
        pd.testing.assert_frame_equal(fetch(server, tmp_path), honest)
        assert asked(server, "PUT", "/jobs") == 2


def test_a_failed_job_ends_with_its_message_and_a_rerun_submits_anew(server, tmp_path):
    bad = tmp_path / "extended.sql"
    bad.write_text(SQL.read_text().replace("b.petroRad_r < 5", "b.petroRad_q < 5"))
    for submitted in (1, 2):
        with pytest.raises(CrosszError, match=r"CasJobs job \d+ failed: .*petroRad_q"):
            fetch(server, tmp_path, sql=bad)
        assert asked(server, "PUT", "/jobs") == submitted


def test_an_interrupt_cancels_the_job_on_the_server(small_sky, tmp_path):
    with serve(small_sky / "sky.sqlite", [], job_seconds=3600) as server:
        program = (
            "import sys; from pathlib import Path; from types import SimpleNamespace; from crossz.core.job import logged; "
            "from fetching import fetch; Path('logs').mkdir();\n"
            "with logged('logs/query.log'): fetch(SimpleNamespace(url=sys.argv[1]), Path())"
        )
        environment = {
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}",
            "SCISERVER_USER": "user",
            "SCISERVER_PASSWORD": "password",
        }
        process = subprocess.Popen(
            [sys.executable, "-c", program, server.url],
            cwd=tmp_path, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        end = time.monotonic() + 60
        while asked(server, "GET", "/jobs/") < 2 and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, messages = process.communicate(timeout=60)
        assert process.returncode != 0
        assert b"interrupted; canceling CasJobs job" in messages
        assert b"Traceback" not in messages
        assert messages.splitlines()[-1].startswith(b"crossz: interrupted; ")
        assert asked(server, "DELETE", "/jobs/") == 1
    (state,) = (tmp_path / "cache").glob("*/jobs.json")
    assert not read_json(state)


def test_nothing_of_the_login_s_answer_is_shown(server, tmp_path, login, messages):
    server.faults.append(Fault("POST /login", "500json"))
    with pytest.raises(CrosszError, match="SciServer login: not fetched") as caught:
        fetch(server, tmp_path, deadline_s=2, query_s=1)
    assert "deadlocked" not in str(caught.value) + messages.text
