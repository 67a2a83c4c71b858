"""SkyServer: its limits, and its words."""

import itertools
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from fetching import SQL, answering, fetch
from helpers import ROOT, archive
from local_archive import Fault, serve

from crossz.archive import crossid, services
from crossz.archive.skyserver import LONGEST, query_form
from crossz.archive.sql import Slice, archive_query, count_by_redshift, slice_text
from crossz.core.errors import CrosszError

pytestmark = pytest.mark.usefixtures("login")


def test_the_rate_limit_is_waited_for(small_sky, honest, tmp_path):
    with serve(small_sky / "sky.sqlite", []) as server:
        server.faults.append(
            Fault("x_results", "error_message", 1, "ERROR: Maximum 60 queries allowed per minute. Rejected query: x")
        )
        pd.testing.assert_frame_equal(fetch(server, tmp_path, "skyserver"), honest)


def test_queries_keep_their_distance(server, tmp_path):
    fetch(server, tmp_path, "skyserver", query_interval_s=0.6)
    times = [hit.time for hit in server.hits]
    assert len(times) == 3
    assert (
        min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.1
    )  # a busy machine notes an arrival late


def test_the_service_s_words_about_a_wrong_column_are_told(server, tmp_path):
    bad = tmp_path / "extended.sql"
    bad.write_text(SQL.read_text().replace("b.petroRad_r < 5", "b.petroRad_q < 5"))
    with pytest.raises(CrosszError, match="petroRad_q"):
        fetch(server, tmp_path, "skyserver", bad)


@pytest.mark.parametrize("path", sorted((ROOT / "workflow/sql").glob("*.sql")), ids=lambda path: path.stem)
def test_every_question_about_a_query_of_the_project_fits_into_an_address(path):
    query = archive_query(path.read_text(), str(path), "DR17")
    for sql in (count_by_redshift(query.text), slice_text(query.text, Slice(-1000, 1000, 1))):
        assert len(urlencode(query_form(sql))) < LONGEST - 600  # room for forty columns of the user


def test_a_query_that_no_address_can_hold_is_refused_before_anything_is_sent(server, tmp_path):
    long = tmp_path / "extended.sql"
    columns = ", ".join(f"b.petroRad_r + {k} AS extra_{k}" for k in range(60))
    long.write_text(SQL.read_text().replace("select\n", f"select {columns},\n", 1))
    with pytest.raises(
        CrosszError, match=r"counting rows: the encoded query has [\d,]+ characters, SkyServer takes 2,048.*casjobs"
    ):
        fetch(server, tmp_path, "skyserver", long)
    assert not server.hits


@pytest.mark.parametrize("how", ["near", "named"])
def test_an_answer_of_100_megabytes_to_a_handful_of_targets_is_refused_before_it_comes(how):
    begin = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n"
    with answering(begin) as url, services.connected("skyserver", archive(url)) as service:
        find = getattr(crossid.finder(service), how)
        asked = [np.array([7])] if how == "named" else [np.array([10.0]), np.array([20.0]), 2.0]
        with pytest.raises(CrosszError, match="100,000,000 bytes, where 4,194,304 are the most"):
            find(*asked)
