"""The line that crossz logs for a request that failed does the same with the real curl, and holds no secret."""

import logging
import os
import shutil
import subprocess

import pytest
from helpers import archive
from local_archive import serve

from crossz.archive import by_hand, casjobs, crossid
from crossz.archive.http import Client, limits
from crossz.archive.responses import Missing
from crossz.archive.skyserver import SkyServer, query_form
from crossz.core.errors import CrosszError, Refused

QUERY = "SELECT TOP 3 objID, 'it''s é' AS a\nFROM PhotoObjAll ORDER BY objID"
SAYS = "to try the same by hand: "
TOKEN, PASSWORD = "canary-token-51", "canary-password-51"
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")


@pytest.fixture(scope="module")
def running(small_sky):
    with serve(small_sky / "sky.sqlite", [small_sky / "sas"], token_password=PASSWORD) as server:
        yield server


@pytest.fixture(autouse=True)
def told(caplog):
    caplog.set_level(logging.INFO)


def lines(caplog):
    return [record.getMessage().split(SAYS)[1] for record in caplog.records if SAYS in record.getMessage()]


class Refusing:
    """An `accept` that keeps the bodies and takes none."""

    def __init__(self):
        self.bodies = []

    def __call__(self, reply):
        self.bodies.append(reply.body)
        raise Refused("not wanted")


def by_curl(line, folder, **variables):
    done = subprocess.run(["bash", "-c", line], cwd=folder, env=os.environ | variables, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_query_and_a_range(running, small_sky, tmp_path, caplog):
    refusing = Refusing()
    path = sorted((small_sky / "sas").rglob("frame-r-*.bz2"))[0].relative_to(small_sky / "sas")
    with Client(limits(archive(running.url))) as client:
        with pytest.raises(CrosszError):
            SkyServer(client, archive(running.url))._send(
                "en/tools/search/x_results.aspx", "a query", refusing, "GET", params=query_form(QUERY)
            )
        with pytest.raises(CrosszError):
            client.fetch([f"{running.url}/sas/{path}"], "a part", refusing, "", span=(100, 300))
    (query, part) = lines(caplog)  # once each
    assert by_curl(query, tmp_path) == refusing.bodies[0]
    assert b"\nobjID,a\n" in refusing.bodies[0]
    assert by_curl(part, tmp_path) == refusing.bodies[-1] == (small_sky / "sas" / path).read_bytes()[100:300]


def test_an_upload_is_read_from_a_file(running, tmp_path, caplog, monkeypatch):
    refusing, upload = Refusing(), "name ra dec \n0 10.5 0.1 \n 1 10.6 0.2"
    forms = []
    with Client(limits(archive(running.url))) as client:
        service = SkyServer(client, archive(running.url))
        monkeypatch.setattr(
            service, "identify", lambda form, *_: forms.append(form) or (_ for _ in ()).throw(Refused(""))
        )
        with pytest.raises(Refused):
            crossid.finder(service).near(*([10.5, 10.6], [0.1, 0.2]), 2.0)
        monkeypatch.undo()
        with pytest.raises(CrosszError):
            service.identify(forms[0], upload, "two targets", refusing)
    (line,) = lines(caplog)
    assert "holds the line 'name ra dec ' and then 2 lines" in line
    (tmp_path / "targets.txt").write_text(upload)
    assert by_curl(line, tmp_path) == refusing.bodies[-1]


def test_a_call_with_a_token_names_a_variable_and_the_login_gives_no_line(running, tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("SCISERVER_USER", "user")
    monkeypatch.setenv("SCISERVER_PASSWORD", PASSWORD)
    refusing = Refusing()
    with Client(limits(archive(running.url))) as client:
        session = casjobs.Session(client, archive(running.url))
        token = session.login()
        with pytest.raises(CrosszError):
            session.call("POST", "contexts/DR17/query", "a quick query", refusing, content={"Query": "SELECT TOP 2 z FROM SpecObjAll", "TaskName": "it's"}, kind="text/plain")  # fmt: skip
        monkeypatch.setenv("SCISERVER_PASSWORD", "canary-wrong-52")
        with pytest.raises(CrosszError, match="refuses user"):
            casjobs.Session(client, archive(running.url)).login()
    (line,) = lines(caplog)
    assert by_curl(line, tmp_path, TOKEN=token) == refusing.bodies[-1]
    for secret in (token, PASSWORD, "canary-wrong-52"):
        assert secret not in caplog.text


def test_no_secret_of_an_address_or_a_header_is_shown():
    options = {"headers": {"X-Auth-Token": TOKEN, "Authorization": TOKEN, "cookie": TOKEN, "Accept": "a b"}}
    line = by_hand.line("PUT", f"http://me:{PASSWORD}@example.org/a", None, options)
    assert line == (
        'curl -sS -X PUT -H "X-Auth-Token: $TOKEN" -H "Authorization: $AUTHORIZATION" -H "cookie: $COOKIE" '
        "-H 'Accept: a b' http://example.org/a"
    )


def test_a_missing_file_is_an_answer_and_gives_no_line(running, caplog):
    with Client(limits(archive(running.url))) as client, pytest.raises(Missing):
        client.fetch([f"{running.url}/sas/nothing"], "a file", Refusing(), "")
    assert not lines(caplog)
