"""astroquery 0.4.11, unchanged, against the local archive; and what it sends, beside what crossz sends."""

import re
import sqlite3
from contextlib import closing
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord
from helpers import archive
from local_archive import serve

from crossz.archive import crossid
from crossz.archive.http import Client, limits
from crossz.archive.skyserver import SkyServer
from crossz.sdss.frames import FieldID, frame_path

PATIENCE = 60


@pytest.fixture(scope="module")
def running(small_sky):
    with serve(small_sky / "sky.sqlite", [small_sky / "sas", small_sky / "spectra"]) as server:
        yield server


@pytest.fixture
def sdss_client(running, monkeypatch, tmp_path):
    """astroquery's client, which asks the local archive."""
    from astroquery.sdss import SDSS, conf, field_names

    monkeypatch.setattr(conf, "skyserver_baseurl", running.url)
    monkeypatch.setattr(conf, "sas_baseurl", f"{running.url}/sas")
    monkeypatch.setattr(SDSS, "cache_location", tmp_path)
    field_names._cached_table_fields.clear()
    running.hits.clear()
    return SDSS


@pytest.fixture(scope="module")
def objects(small_sky):
    """Primary objects of the sky that have spectra."""
    with closing(sqlite3.connect(small_sky / "sky.sqlite")) as sky:
        return pd.read_sql(
            "SELECT p.objID, p.ra, p.dec, p.run, p.camcol, p.field, s.specObjID, s.plate, s.mjd, s.fiberID FROM PhotoObjAll p "
            "JOIN SpecObjAll s ON s.bestObjID = p.objID WHERE p.mode = 1 AND s.plate > 3510 ORDER BY p.objID LIMIT 5",
            sky,
        )


def test_query_sql(sdss_client, objects):
    sql = "select top 3 p.objID, p.ra, s.z\n-- a comment\nfrom PhotoObjAll p join SpecObjAll s on s.bestObjID = p.objID where p.mode = 1 order by p.objID"
    found = sdss_client.query_sql(sql, data_release=17, timeout=PATIENCE, cache=False)
    assert found.colnames == ["objID", "ra", "z"]
    assert set(map(int, found["objID"])) <= set(
        map(int, sdss_client.query_sql("select objID from PhotoObjAll where mode = 1")["objID"])
    )


def test_query_photoobj(sdss_client, objects):
    row = objects.iloc[0]
    found = sdss_client.query_photoobj(run=row["run"], camcol=row["camcol"], field=row["field"], cache=False)
    assert row["objID"] in list(map(int, found["objid"]))


@pytest.mark.parametrize("shape", [{"radius": 5 * u.arcsec}, {"width": 10 * u.arcsec}])
def test_query_region(sdss_client, objects, shape):
    row = objects.iloc[1]
    found = sdss_client.query_region(SkyCoord(row["ra"], row["dec"], unit="deg"), **shape, cache=False)
    assert row["objID"] in list(map(int, found["objid"]))


def test_query_crossid_with_a_position_that_has_no_object(sdss_client, objects):
    places = SkyCoord([*objects["ra"], 10.0], [*objects["dec"], -80.0], unit="deg")
    names = [f"star{k}" for k in range(6)]
    found = sdss_client.query_crossid(
        places, radius=2 * u.arcsec, photoobj_fields=["objID", "ra", "dec"], obj_names=names, cache=False
    )
    assert found.colnames == ["name", "objID", "ra", "dec", "type"]
    assert list(found["name"]) == names[:5]
    assert list(map(int, found["objID"])) == objects["objID"].tolist()
    default = sdss_client.query_crossid(places, radius=2 * u.arcsec, cache=False)  # without objID: the service adds it
    assert list(map(int, default["objID"])) == objects["objID"].tolist()
    assert set(default["type"]) <= {"STAR", "GALAXY"}


def test_get_images(sdss_client, objects, small_sky):
    row = objects.iloc[2]
    (image,) = sdss_client.get_images(
        run=row["run"], camcol=row["camcol"], field=row["field"], band="r", data_release=17, cache=False
    )
    assert image[0].header["FILTER"] == "r"
    assert image[0].data.shape == (384, 256)
    assert frame_path(small_sky / "sas", FieldID(301, row["run"], row["camcol"], row["field"]), "r").is_file()


def test_get_spectra(sdss_client, objects):
    row = objects.iloc[3]
    (spectrum,) = sdss_client.get_spectra(
        plate=row["plate"], mjd=row["mjd"], fiberID=row["fiberID"], data_release=17, cache=False
    )
    assert spectrum[0].header["FIBERID"] == row["fiberID"]


# What is sent


class _Recorder(BaseHTTPRequestHandler):
    """Keeps requests, and answers with rows that nobody can use."""

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path, self.headers.get("Content-Type", ""), body))
        answer = b'[{"TableName": "Table1", "Rows": [{"name": "objID"}, {"name": "ra"}]}]'
        if "json" not in self.path:
            answer = b"#Table1\nobjID\n1\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def recorder(monkeypatch):
    from astroquery.sdss import conf, field_names

    with ThreadingHTTPServer(("127.0.0.1", 0), _Recorder) as server:
        server.requests = []
        Thread(target=server.serve_forever, daemon=True).start()
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setattr(conf, "skyserver_baseurl", server.url)
        field_names._cached_table_fields.clear()
        yield server
        server.shutdown()


def fields(kind, body):
    """The parts of a multipart form, in their order: name, file name and content."""
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    return [
        (
            *(part.get_param(key, header="content-disposition") for key in ("name", "filename")),
            part.get_payload(decode=True),
        )
        for part in message.get_payload()
    ]


def test_a_query_is_sent_as_astroquery_sends_it_to_the_byte(recorder):
    from astroquery.sdss import SDSS

    sql = "SELECT a.z, 'x y' AS t FROM SpecObjAll AS a WHERE a.z > 1 AND a.class = 'QSO'"
    SDSS.query_sql(sql, data_release=17, cache=False)
    with Client(limits(archive(recorder.url))) as client:
        SkyServer(client, archive(recorder.url)).ask(sql, ("objID",), None, "a query", lambda answer: answer)
    theirs, ours = recorder.requests
    assert theirs[0] == "GET"
    assert ours == theirs


def test_a_cross_identification_has_the_form_of_astroquery_s(recorder):
    from astroquery.sdss import SDSS

    ra, dec = np.array([10.123456789012345, 20.0]), np.array([-5.0, 0.1])
    places = SkyCoord(ra, dec, unit="deg")
    SDSS.query_crossid(
        places, radius=2 * u.arcsec, photoobj_fields=["objID", "ra"], obj_names=["0", "1"], data_release=17, cache=False
    )
    with Client(limits(archive(recorder.url, attempts=1, deadline_s=0.1))) as client:
        with pytest.raises(Exception, match="targets 1 to 2"):  # the recorder knows no object
            crossid.finder(SkyServer(client, archive(recorder.url))).near(ra, dec, 2.0)
    theirs, ours = [request for request in recorder.requests if request[0] == "POST"][:2]
    assert ours[1] == theirs[1]
    mine, astroquerys = fields(*ours[2:]), fields(*theirs[2:])
    assert [part[0] for part in mine] == [part[0] for part in astroquerys]
    for (name, _, ours_), (_, _, theirs_) in zip(mine, astroquerys, strict=True):
        if name == "uquery":
            assert re.fullmatch(
                rb"SELECT\r\np\.objID, p\.ra.* FROM #upload u LEFT JOIN #x x ON x\.up_id = u\.up_id .*", ours_
            )
            assert re.fullmatch(
                rb"SELECT\r\np\.objID, p\.ra.* FROM #upload u JOIN #x x ON x\.up_id = u\.up_id .*", theirs_
            )
        elif name == "radius":
            assert float(ours_) == pytest.approx(float(theirs_))
        else:
            assert ours_ == theirs_, name
