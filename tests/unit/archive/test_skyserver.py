"""SkyServer: its limits, and its words."""

import itertools

import pandas as pd
import pytest
from fetching import SQL, fetch
from local_archive import Fault, serve

from crossz.core.errors import CrosszError

pytestmark = pytest.mark.usefixtures("login")


def test_the_rate_limit_is_waited_for(small_sky, honest, tmp_path):
    with serve(small_sky / "sky.sqlite", []) as server:
        server.faults.append(
            Fault("SqlSearch", "error_message", 1, "ERROR: Maximum 60 queries allowed per minute. Rejected query: x")
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
