"""Queries on SkyServer and CasJobs: counted, sliced, resumed, and no work asked for twice."""

import hashlib
import itertools
import signal
import subprocess
import sys
import time

import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers import ROOT, archive
from local_archive import Fault, serve

from crossz.archive import casjobs, embedded, query, skyserver
from crossz.archive.http import Client, limits
from crossz.archive.sql import archive_query
from crossz.core.errors import CrosszError
from crossz.core.files import read_json

SQL = ROOT / "workflow/sql/extended.sql"
DIGEST = archive_query(SQL.read_text(), "extended.sql", "DR17").digest

pytestmark = pytest.mark.usefixtures("login")


@pytest.fixture
def server(small_sky):
    with serve(small_sky / "sky.sqlite", []) as running:
        yield running


@pytest.fixture(scope="module")
def honest(small_sky, tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    embedded.write_query(SQL, small_sky / "sky.sqlite", folder / "raw.parquet", folder / "receipt.json")
    return rows(folder)


def rows(folder):
    return pq.read_table(folder / "raw.parquet").to_pandas().sort_values("specObjID", ignore_index=True)


def fetch(server, folder, backend="casjobs", **more):
    folder.mkdir(exist_ok=True)
    outputs = (folder / "raw.parquet", folder / "receipt.json")
    query.write_archive_query(SQL, backend, archive(server.url, **more), folder / "cache", *outputs)
    return rows(folder)


def asked(server, method, path, sql=""):
    return sum(hit.method == method and path in hit.path and sql in (hit.sql or "") for hit in server.hits)


@pytest.mark.parametrize("backend", ["casjobs", "skyserver"])
def test_the_rows_are_those_of_the_embedded_service_with_a_receipt(server, honest, tmp_path, backend):
    pd.testing.assert_frame_equal(fetch(server, tmp_path, backend), honest)
    receipt = read_json(tmp_path / "receipt.json")
    assert receipt["source"] == backend
    assert receipt["rows"] == len(honest)
    assert len(receipt["query_sha256"]) == 64
    assert "password" not in (tmp_path / "receipt.json").read_text()


@pytest.mark.parametrize("backend", ["casjobs", "skyserver"])
def test_slices_stay_below_the_cap_and_are_resumed(server, honest, tmp_path, monkeypatch, backend):
    monkeypatch.setattr(skyserver, "CAP", 12)
    server.faults.append(Fault(r"BETWEEN 2\d\d", "503"))
    with pytest.raises(CrosszError, match=r"extended: slice \d of \d+: not fetched"):
        fetch(server, tmp_path, backend)
    kept = sorted((tmp_path / "cache").glob(f"{DIGEST}-*/*.parquet"))
    assert kept
    server.faults.clear()
    server.hits.clear()
    pd.testing.assert_frame_equal(fetch(server, tmp_path, backend), honest)
    parts = read_json(tmp_path / "receipt.json")["slices"]
    assert parts >= len(honest) / 12
    assert asked(server, "POST", "", "BETWEEN") == parts - len(kept)
    server.hits.clear()
    fetch(server, tmp_path, backend)
    assert not server.hits


def test_a_result_cut_at_the_service_s_limit_is_refused(small_sky, tmp_path):
    with serve(small_sky / "sky.sqlite", [], max_rows=20) as server:
        with pytest.raises(
            CrosszError, match=r"20 rows instead of the \d+ that were counted|do not add up|but not by redshift"
        ):
            fetch(server, tmp_path, "skyserver")
    assert not list(tmp_path.glob("raw*"))


@pytest.mark.parametrize("backend", ["casjobs", "skyserver"])
def test_counts_that_do_not_add_up_are_asked_for_again(server, honest, tmp_path, backend):
    server.faults.append(Fault("GROUP BY", "drop_rows", 1))
    pd.testing.assert_frame_equal(fetch(server, tmp_path / "once", backend), honest)
    server.faults.append(Fault("GROUP BY", "drop_rows"))
    with pytest.raises(CrosszError, match="but not by redshift"):
        fetch(server, tmp_path / "always", backend)


def test_the_rate_limit_is_waited_for(small_sky, honest, tmp_path):
    with serve(small_sky / "sky.sqlite", []) as server:
        server.faults.append(
            Fault("SqlSearch", "error_message", 1, "ERROR: Maximum 60 queries allowed per minute. Rejected query: x")
        )
        pd.testing.assert_frame_equal(fetch(server, tmp_path, "skyserver"), honest)


def test_queries_keep_their_distance(server, tmp_path):
    fetch(server, tmp_path, "skyserver", query_interval_s=0.2)
    times = [hit.time for hit in server.hits]
    assert len(times) == 3
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.15


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


def test_a_job_whose_number_was_lost_is_found_and_not_submitted_again(small_sky, honest, tmp_path):
    with serve(small_sky / "sky.sqlite", [], job_seconds=0.3) as server:
        server.faults.append(Fault("PUT .*/jobs", "cut_no_length", 1))
        pd.testing.assert_frame_equal(fetch(server, tmp_path), honest)
        assert asked(server, "PUT", "/jobs") == 2


def test_rows_of_another_server_are_not_taken_for_this_one_s(server, small_sky, tmp_path):
    fetch(server, tmp_path)
    with serve(small_sky / "sky.sqlite", []) as other:
        fetch(other, tmp_path)
        assert asked(other, "POST", "", "BETWEEN")


def test_the_service_s_words_about_a_wrong_column_are_told(server, tmp_path, monkeypatch):
    bad = tmp_path / "extended.sql"
    bad.write_text(SQL.read_text().replace("b.petroRad_r < 5", "b.petroRad_q < 5"))
    monkeypatch.setattr(sys.modules[__name__], "SQL", bad)
    with pytest.raises(CrosszError, match="petroRad_q"):
        fetch(server, tmp_path, "skyserver")


def test_a_failed_job_ends_with_its_message_and_a_rerun_submits_anew(server, tmp_path, monkeypatch):
    text = SQL.read_text().replace("b.petroRad_r < 5", "b.petroRad_q < 5")
    bad = tmp_path / "extended.sql"
    bad.write_text(text)
    monkeypatch.setattr(sys.modules[__name__], "SQL", bad)
    for submitted in (1, 2):
        with pytest.raises(CrosszError, match=r"CasJobs job \d+ failed: .*petroRad_q"):
            fetch(server, tmp_path)
        assert asked(server, "PUT", "/jobs") == submitted


def test_an_interrupt_cancels_the_job_on_the_server(small_sky, tmp_path):
    with serve(small_sky / "sky.sqlite", [], job_seconds=3600) as server:
        program = (
            "from crossz.archive import query; "
            f"query.write_archive_query({str(SQL)!r}, 'casjobs', {archive(server.url)!r}, 'cache', 'raw.parquet', 'r.json')"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT / "src"), "SCISERVER_USER": "user", "SCISERVER_PASSWORD": "password"},
            stderr=subprocess.DEVNULL, stdout=subprocess.PIPE,
        )  # fmt: skip
        end = time.monotonic() + 30
        while asked(server, "GET", "/jobs/") < 2 and time.monotonic() < end:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=20)
        assert process.returncode != 0
        assert b"interrupted; canceling CasJobs job" in told
        assert asked(server, "DELETE", "/jobs/") == 1
    (state,) = (tmp_path / "cache").glob("*/jobs.json")
    assert not read_json(state)
