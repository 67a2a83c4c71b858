"""CDS XMatch: what is sent is what astroquery sends, an answer is believed after checks, finished batches are kept."""

import numpy as np
import pandas as pd
import pytest
from helpers import archive
from local_archive import Fault, serve

from crossz.archive import services, xmatch
from crossz.catalog.crossmatch import nearest
from crossz.core.errors import CrosszError, Refused
from crossz.core.surveys import SURVEYS

GAIA, ALLWISE = SURVEYS["gaia"], SURVEYS["allwise"]
RA, DEC = np.linspace(10, 350, 25), np.linspace(-80, 80, 25)


def table(survey, ra, dec):
    """A table of VizieR with sources at these positions."""
    numbers = {name: np.linspace(14, 20, len(ra)) for name in survey.columns.values()}
    return pd.DataFrame({survey.position[0]: ra, survey.position[1]: dec} | numbers)


@pytest.fixture
def vizier():
    """Sources beside every other position; the second of them lacks a magnitude, and one star moves."""
    tables = {survey.table: table(survey, RA[::2], DEC[::2]) for survey in SURVEYS.values()}
    tables[ALLWISE.table].loc[1, "W1mag"] = np.nan
    tables[GAIA.table][["pmRA", "pmDE"]] = 0.0
    tables[GAIA.table].loc[0, ["pmRA", "pmDE", "DEdeg"]] = [0.0, 250.0, DEC[0] + 3.0 / 3600]
    return tables


@pytest.fixture
def server(vizier):
    with serve(None, [], vizier=vizier) as running:
        yield running


def find(server, cache, name="allwise", radius=2.0):
    block = archive(server.url)
    with services.crossmatch_client(block) as client:
        return xmatch.finder(client, block, cache)(name, RA, DEC, radius)


@pytest.mark.parametrize("name", SURVEYS)
def test_each_survey_gives_its_columns(server, tmp_path, name):
    found = find(server, tmp_path, name, 6.0)
    assert found.columns.tolist() == ["number", "ra", "dec", *SURVEYS[name].columns]
    assert found["number"].tolist() == list(range(0, 25, 2))
    assert found[list(SURVEYS[name].columns)[-1]].notna().all()


def test_an_empty_cell_is_missing(server, tmp_path):
    found = find(server, tmp_path)
    assert found["allwise_w1"].isna().tolist() == [False, True] + [False] * 11


def test_a_moving_star_is_found_by_the_wider_search(server, tmp_path):
    found = nearest(RA, DEC, find(server, tmp_path, "gaia", 6.0), GAIA, 1.0)
    assert found["separation"][0] < 0.01
    assert found["gaia_pmdec"][0] == 250.0


def test_batches_are_asked_one_by_one_and_kept(server, tmp_path, monkeypatch):
    whole = find(server, tmp_path / "whole")
    monkeypatch.setattr(xmatch, "BATCH", 10)
    server.hits.clear()
    pd.testing.assert_frame_equal(find(server, tmp_path / "parts"), whole)
    assert len(server.hits) == 3
    pd.testing.assert_frame_equal(find(server, tmp_path / "parts"), whole)
    assert len(server.hits) == 3
    find(server, tmp_path / "parts", radius=1.0)
    assert len(server.hits) == 6


def test_a_rerun_asks_only_for_the_batches_that_failed(server, tmp_path, monkeypatch):
    monkeypatch.setattr(xmatch, "BATCH", 10)
    server.faults += [Fault("/xmatch/", "delay", 1, 0), Fault("/xmatch/", "404", 1)]
    with pytest.raises(CrosszError, match=r"not at .*/xmatch/api/v1/sync .*is archive.xmatch the right address"):
        find(server, tmp_path)
    assert len(server.hits) == 2
    assert len(find(server, tmp_path)) == 13
    assert len(server.hits) == 4


def test_no_position_is_no_request(server, tmp_path):
    block = archive(server.url)
    with services.crossmatch_client(block) as client:
        found = xmatch.finder(client, block, tmp_path)("gaia", np.array([]), np.array([]), 6.0)
    assert (len(found), server.hits) == (0, [])
    assert found.columns.tolist() == ["number", "ra", "dec", *GAIA.columns]


@pytest.mark.parametrize(
    "kind", ["cut_length", "cut_chunked", "cut_no_length", "503", "html200", "wrong_bytes", "cut_row", "reset"]
)
def test_a_damaged_answer_is_asked_for_again(server, tmp_path, kind):
    honest = find(server, tmp_path / "honest")
    server.faults.append(Fault("/xmatch/", kind, 1))
    pd.testing.assert_frame_equal(find(server, tmp_path / "faulty"), honest)
    assert server.hits[-2].fault == kind


def test_what_the_service_says_of_a_question_is_told(server, tmp_path, vizier):
    del vizier[ALLWISE.table]
    with pytest.raises(CrosszError, match="400: Catalogue must be a URL or simbad or vizier:tabName"):
        find(server, tmp_path)
    vizier[ALLWISE.table] = table(ALLWISE, RA, DEC).drop(columns="W4mag")
    with pytest.raises(CrosszError, match='Column name "W4mag" not found in table metadata'):
        find(server, tmp_path)


def test_a_ban_is_told(server, tmp_path):
    server.faults.append(Fault("/xmatch/", "401"))
    with pytest.raises(CrosszError, match=r"refuses this computer.*cds-question@unistra\.fr"):
        find(server, tmp_path)


def body(*rows, columns=None, status="", end="</VOTABLE>\n"):
    """An answer about AllWISE; a row is (number, asked ra, asked dec, ra, dec, the columns)."""
    names = columns or ["angDist", "asked", "asked_ra", "asked_dec", *ALLWISE.position, *ALLWISE.columns.values()]
    fields = "".join(f'<FIELD name="{name}" datatype="double"/>' for name in names)
    lines = "".join("<TR>" + "".join(f"<TD>{cell}</TD>" for cell in ("0.1", *row)) + "</TR>" for row in rows)
    data = f"<TABLE>{fields}<DATA><TABLEDATA>{lines}</TABLEDATA></DATA></TABLE>"
    head = '<?xml version="1.0"?>\n<VOTABLE version="1.2" xmlns="http://www.ivoa.net/xml/VOTable/v1.2">'
    return f"{head}<RESOURCE>{data}{status}</RESOURCE>{end}".encode()


ROW = (1, RA[1], DEC[1], RA[1], DEC[1], *[15.0] * 8)


def checked(text):
    return xmatch.checked(text, ALLWISE, RA, DEC, 2.0)


def test_an_honest_answer_is_believed():
    assert checked(body(ROW))["number"].tolist() == [1]
    assert len(checked(body())) == 0
    assert checked(body((*ROW[:5], "", "NaN", "inf", *ROW[8:])))["allwise_w2"].isna().all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (body((25, *ROW[1:])), "a row of no position that was asked for"),
        (body((1.5, *ROW[1:])), "a row of no position that was asked for"),
        (body(("", *ROW[1:])), "a row of no position that was asked for"),
        (body((2, *ROW[1:])), "a row of another position than was asked for"),
        (body((*ROW[:4], DEC[1] + 3 / 3600, *ROW[5:])), "a source 3.0 arcsec from its position, beyond the 2 asked for"),
        (body((*ROW[:4], 400, *ROW[5:])), "a position that is none"),
        (body(ROW, end=""), "no complete VOTable"),
        (body(ROW)[:-30] + b"</VOTABLE>", "no complete VOTable"),
        (b"<html>busy</html>", "0 tables"),
        (b"angDist,asked\n", "no complete VOTable"),
        (b"", "no complete VOTable"),
        (body(ROW).replace(b"<TABLE>", b"<TABLE><FIELD/>"), "a table without some of its cells"),
        (body(ROW).replace(b"<TABLE>", b'<TABLE nrows="2">'), "a table without some of its cells or rows"),
        (body(ROW[:-1]), "a table without some of its cells"),
        (body((*ROW[:-1], "fifteen")), "a cell that is no number"),
        (body((*ROW[:-1], "1_5")), "a cell that is no number"),
        (body((*ROW[:-1], "١٢")), "a cell that is no number"),
        (body().replace(b"<TABLE>", b"<TABLE/><TABLE>"), "2 tables"),
        (body().replace(b"<TABLEDATA></TABLEDATA>", b'<BINARY><STREAM href="file:///etc/passwd"/></BINARY>'), "0 TABLEDATA"),
        (b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + body(), "a VOTable that defines entities"),
        (('<!DOCTYPE x [<!ENTITY a "b">]>' + body().decode().partition("\n")[2]).encode("utf-16"), "not in UTF-8"),
        (b'<?xml version="1.0" encoding="nonsense"?>' + body().partition(b"\n")[2], "no complete VOTable"),
    ],
)  # fmt: skip
def test_an_answer_to_another_question_is_refused(text, words):
    with pytest.raises(Refused, match=words):
        checked(text)


def test_an_answer_that_asking_again_does_not_mend_ends_the_job():
    for status, words in (
        ('<INFO name="QUERY_STATUS" value="OVERFLOW">at 1 row</INFO>', "cuts its answer: at 1 row"),
        ('<INFO name="QUERY_STATUS" value="ERROR">no luck</INFO>', "CDS XMatch says: no luck"),
    ):
        with pytest.raises(CrosszError, match=words):
            checked(body(ROW, status=status))
    with pytest.raises(CrosszError, match="gives no column e_W4mag, or two; it gives angDist"):
        checked(
            body(
                columns=[
                    "angDist",
                    "asked",
                    "asked_ra",
                    "asked_dec",
                    *ALLWISE.position,
                    *list(ALLWISE.columns.values())[:-1],
                ]
            )
        )


def test_an_answer_larger_than_any_of_a_batch_is_not_taken(server, tmp_path, monkeypatch):
    monkeypatch.setattr(xmatch, "_LARGEST", 500)
    with pytest.raises(CrosszError, match=r"more than 500 bytes|where 500 are the most"):
        find(server, tmp_path)


def test_a_fast_star_may_lie_beyond_the_radius_by_its_motion(vizier):
    star = pd.Series({"RAdeg": RA[0], "DEdeg": DEC[0] + 9 / 3600})
    names = ["angDist", "asked", "asked_ra", "asked_dec", *GAIA.position, *GAIA.columns.values()]

    def answer(speed):
        values = dict.fromkeys(GAIA.columns.values(), 1.0) | {"pmRA": 0.0, "pmDE": speed}
        return body((0, RA[0], DEC[0], *star, *values.values()), columns=names)

    assert len(xmatch.checked(answer(600.0), GAIA, RA, DEC, 6.0)) == 1
    with pytest.raises(Refused, match=r"9\.0 arcsec from its position"):
        xmatch.checked(answer(1.0), GAIA, RA, DEC, 6.0)
    with pytest.raises(Refused, match=r"a proper motion of 1e\+06 mas/yr, which no star has"):
        xmatch.checked(answer(1e6), GAIA, RA, DEC, 6.0)
