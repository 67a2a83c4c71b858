"""CDS XMatch of the local archive, with astroquery's client, which the real service knows, and with ours beside it."""

import numpy as np
import pandas as pd
import pytest
import requests
from astropy import units as u
from astropy.table import Table

from crossz.archive import xmatch
from crossz.core.surveys import SURVEYS
from local_archive import serve
from local_archive.example import PATIENCE

RA, DEC = np.array([10.123456789012345, 0.00001, 359.99999]), np.array([-80.0, 0.1, 60.0])
TABLE = "II/328/allwise"


@pytest.fixture
def vizier():
    """Two sources beside the first position, none at the second, one across 0 h at the third."""
    place = {"RAJ2000": [RA[0], RA[0], 0.00001], "DEJ2000": [DEC[0] + 1.5 / 3600, DEC[0] - 0.5 / 3600, DEC[2]]}
    names = SURVEYS["allwise"].columns.values()
    sources = pd.DataFrame(place | {name: [15.0, 16.0, np.nan] for name in names} | {"AllWISE": ["a", "b", "c"]})
    return {survey.table: sources for survey in SURVEYS.values()}


@pytest.fixture
def server(vizier):
    with serve(None, [], vizier=vizier) as running:
        yield running


@pytest.fixture
def client(server, tmp_path):
    """astroquery's client at the local service, without its own cache on disk."""
    from astroquery.xmatch import XMatchClass

    found = XMatchClass()
    found.URL = f"{server.url}/xmatch/api/v1/sync"
    found.cache_location = tmp_path
    return found


def upload(columns=("asked", "asked_ra", "asked_dec")):
    return Table([[0, 1, 2], RA, DEC], names=columns)


def test_our_request_is_astroquery_s(client):
    for survey in SURVEYS.values():
        ours = xmatch.form_of(survey, 2.0)
        payload, rest = client.query_async(
            upload(), f"vizier:{survey.table}", 2.0 * u.arcsec, colRA1="asked_ra", colDec1="asked_dec",
            cols2=ours["cols2"], get_query_payload=True, cache=False,
        )  # fmt: skip
        assert payload == ours
        assert rest == {"files": {"cat1": ("cat1.csv", xmatch._upload(RA, DEC))}}


def test_astroquery_works_unchanged(client):
    table = client.query(
        upload(), f"vizier:{TABLE}", 2.0 * u.arcsec, colRA1="asked_ra", colDec1="asked_dec", cache=False
    )
    assert table.colnames[:4] == ["angDist", "asked", "asked_ra", "asked_dec"]
    assert table["asked"].tolist() == [0, 0, 2]
    assert table["angDist"].tolist() == pytest.approx([1.5, 0.5, 0.036], abs=1e-3)
    assert table["AllWISE"].tolist() == ["a", "b", "c"]
    assert table["W1mag"].mask.tolist() == [False, False, True] or np.isnan(table["W1mag"][2])
    assert table["asked_ra"].tolist() == [RA[0], RA[0], RA[2]]


def test_an_error_is_a_votable_that_astroquery_reads(client):
    with pytest.raises(Exception, match='Column name "DEC" not found in table metadata'):
        client.query(upload(), f"vizier:{TABLE}", 2.0 * u.arcsec, colRA1="asked_ra", colDec1="DEC", cache=False)


def ask(server, **more):
    form = {"REQUEST": "xmatch", "distMaxArcsec": 2, "RESPONSEFORMAT": "csv", "colRA1": "ra", "colDec1": "dec"}
    form |= {"cat2": f"vizier:{TABLE}"} | more
    lines = [f"{a!r},{d!r}" for a, d in zip(RA.tolist(), DEC.tolist(), strict=True)]
    files = {"cat1": ("mine.csv", "\n".join(["ra,dec", *lines]))}
    return requests.post(f"{server.url}/xmatch/api/v1/sync", data=form, files=files, timeout=PATIENCE)


def test_the_service_answers_as_its_documentation_says(server):
    assert ask(server).text.splitlines()[0].startswith("angDist,ra,dec,RAJ2000,DEJ2000,")
    best = ask(server, selection="best", cols2="AllWISE").text.splitlines()
    assert [line.split(",")[-1] for line in best] == ["AllWISE", "b", "c"]
    assert len(ask(server, MAXREC=1).text.splitlines()) == 2  # cut without a word
    assert 'value="OVERFLOW"' in ask(server, MAXREC=1, RESPONSEFORMAT="votable").text
    for more, words in (
        ({"distMaxArcsec": 181}, "distMaxArcsec"),
        ({"cat2": TABLE}, "vizier:tabName"),
        ({"cols2": "x"}, 'Column name "x" not found'),
        ({"REQUEST": "other"}, "REQUEST"),
    ):
        answer = ask(server, **more)
        assert answer.status_code == 400
        assert words.replace('"', "") in answer.text.replace('"', "").replace("&quot;", "")
        assert answer.text.index("QUERY_STATUS") > 2000  # an explanation comes first
