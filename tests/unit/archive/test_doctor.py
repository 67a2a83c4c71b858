"""The doctor: what works from here, and what to do where it does not."""

import re
import threading

import pyarrow as pa
import pytest
from helpers import archive
from local_archive import Fault, serve, vizier_of

from crossz.archive import doctor
from crossz.archive.doctor import examine
from crossz.core.errors import CrosszError


def test_the_doctor_finds_everything_well(server, login, tmp_path, messages):
    for backend in ("casjobs", "skyserver"):
        examine(backend=backend, archive=archive(server.url), folder=tmp_path)
    text = messages.text
    assert text.count(" ok ") == 10
    assert "FAILED" not in text
    assert not list(tmp_path.iterdir())


def test_the_doctor_says_what_is_wrong_and_what_to_do(server, login, tmp_path, messages, monkeypatch):
    server.faults.append(Fault("/frames/", "503"))
    with pytest.raises(CrosszError, match="1 of 5 checks failed"):
        examine(backend="casjobs", archive=archive(server.url, deadline_s=4, query_s=2), folder=tmp_path)
    assert re.search(r"frame +FAILED .*HTTP 503.*another mirror", messages.text)
    monkeypatch.setenv("SCISERVER_PASSWORD", "wrong-canary")
    with pytest.raises(CrosszError, match="checks failed"):
        examine(backend="casjobs", archive=archive(server.url, deadline_s=4, query_s=2), folder=tmp_path)
    text = messages.text
    assert re.search(r"login +FAILED  SciServer refuses user user or its password; set SCISERVER_USER", text)
    assert "wrong-canary" not in text


def test_the_remedy_is_that_of_the_service_that_failed(server, tmp_path, messages):
    server.faults.append(Fault("x_results", "404"))
    with pytest.raises(CrosszError, match="checks failed"):
        examine(backend="skyserver", archive=archive(server.url), folder=tmp_path)
    assert re.search(r"SQL +FAILED .*is archive\.skyserver the right address", messages.text)


def test_external_surveys_are_asked_for_where_they_are_wanted(small_sky, login, tmp_path, messages):
    tables = vizier_of(small_sky / "truth.parquet")
    roots = [small_sky / "sas", small_sky / "spectra"]
    with serve(small_sky / "sky.sqlite", roots, vizier=tables) as server:
        options = {"backend": "casjobs", "archive": archive(server.url), "folder": tmp_path}
        examine(**options, surveys=["allwise", "gaia"])
        assert re.search(r"XMatch +ok +0 of allwise, 0 of gaia beside 3C 273", messages.text)
        del tables["I/355/gaiadr3"]
        with pytest.raises(CrosszError, match="1 of 6 checks failed"):
            examine(**options, surveys=["allwise", "gaia"])
        assert re.search(r"XMatch +FAILED .*Catalogue must be a URL or simbad or vizier:tabName", messages.text)
        server.faults.append(Fault("/xmatch/", "404"))
        with pytest.raises(CrosszError, match="1 of 6 checks failed"):
            examine(**options, surveys=["allwise"])
        assert re.search(r"XMatch +FAILED .*is archive\.xmatch the right address", messages.text)


def test_a_service_that_does_not_answer_is_not_waited_for(server, tmp_path, messages, monkeypatch):
    monkeypatch.setattr(doctor, "WITHIN_S", 3.0)
    held = threading.Event()

    def silent(*others):
        held.wait()
        raise CrosszError("too late")

    monkeypatch.setattr(doctor.SkyServer, "ask", silent)
    with pytest.raises(CrosszError, match="checks failed"):
        examine(backend="skyserver", archive=archive(server.url), folder=tmp_path)
    held.set()
    assert re.search(r"SQL +FAILED  no answer in 3 s: the service is down or slow", messages.text)
    assert re.search(r"write +ok", messages.text)


@pytest.mark.parametrize("cell", ["", "x", "../../etc"])
def test_a_row_that_is_no_quasar_is_no_traceback(monkeypatch, tmp_path, messages, cell):
    table = pa.table({name: ["1" if name != "run2d" else cell] for name in doctor._NAMES})
    monkeypatch.setattr(doctor.SkyServer, "ask", lambda self, sql, columns, rows, what, make: refused(make, table))
    limits = archive("http://127.0.0.1:9") | {"sas": []}
    with pytest.raises(CrosszError, match="1 of 5 checks failed"):
        doctor.examine(backend="skyserver", archive=limits, folder=tmp_path)


def refused(make, table):
    """What the client makes of an answer that cannot be read."""
    try:
        return make(table)
    except (TypeError, ValueError) as error:
        raise CrosszError(str(error)) from error
