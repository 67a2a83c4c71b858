"""Fixtures of the tests of the local archive."""

import sqlite3

import pytest
import requests

from local_archive.example import FOLDER, LOGIN, PATIENCE, ROWS, archive, body


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An archive of two tables, three frames and a spectrum."""
    root = tmp_path_factory.mktemp("archive")
    with sqlite3.connect(root / "sky.sqlite") as connection:
        connection.execute(
            "CREATE TABLE SpecObjAll (specObjID TEXT, bestObjID INTEGER, class TEXT COLLATE NOCASE, z REAL, run2d TEXT, psfMag_u REAL)"
        )
        connection.executemany("INSERT INTO SpecObjAll VALUES (?, ?, ?, ?, ?, ?)", ROWS)
        connection.execute(
            "CREATE TABLE PhotoObjAll (objID INTEGER, run INTEGER, camcol INTEGER, field INTEGER, rerun INTEGER, type INTEGER, "
            "mode INTEGER, ra REAL, dec REAL)"
        )
        photo = [(row[1], 94, 1, 10, 301, 6, 1 + (k > 1), 150.0 + k, 2.5) for k, row in enumerate(ROWS)]
        connection.executemany("INSERT INTO PhotoObjAll VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", photo)
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


@pytest.fixture(scope="module")
def running(folder):
    with archive(folder, job_seconds=1.0) as server:
        yield server


@pytest.fixture
def server(running):
    """The one server of this module, as new: honest and with no hits."""
    running.faults.clear()
    running.hits.clear()
    running.peak.clear()
    return running


@pytest.fixture(scope="module")
def token(running):
    running.faults.clear()
    answer = requests.post(f"{running.url}/login-portal/keystone/v3/tokens", json=LOGIN, timeout=PATIENCE)
    assert answer.status_code == 200
    return answer.headers["X-Subject-Token"]


@pytest.fixture
def cas(server, token):
    """A function (method, path, content, accept) -> answer of CasJobs."""

    def call(method, path, content=None, accept="text/plain"):
        headers = {"X-Auth-Token": token, "Accept": accept}
        return requests.request(
            method, f"{server.url}/CasJobs/RestApi/{path}", json=content, headers=headers, timeout=PATIENCE
        )

    return call
