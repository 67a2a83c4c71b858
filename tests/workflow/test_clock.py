"""A clock that jumps back: nothing waits for it, and no row is another one."""

import itertools
import time
from email.utils import formatdate

import pandas as pd
import pytest
from fetching import SQL, fetch, rows
from local_archive import serve
from local_archive.faults import Fault

from crossz.archive import embedded
from crossz.core.errors import CrosszError

DAY = 86400


@pytest.fixture
def backwards(monkeypatch):
    """The wall clock, a day earlier each time that it is asked."""
    now, calls = time.time(), itertools.count()
    monkeypatch.setattr(time, "time", lambda: now - DAY * next(calls))


@pytest.mark.parametrize("backend", ["casjobs", "skyserver"])
def test_a_query_survives_a_clock_that_jumps_back(small_sky, tmp_path, login, backwards, backend):
    embedded.write_query(
        sql=SQL, database=small_sky / "sky.sqlite", raw=tmp_path / "raw.parquet", receipt=tmp_path / "r.json"
    )
    faults = [Fault("", "503", times=1), Fault("", "cut_row", times=1)]
    with serve(small_sky / "sky.sqlite", [], faults=faults, job_seconds=0.1) as server:
        found = fetch(server, tmp_path / backend, backend)
    pd.testing.assert_frame_equal(found, rows(tmp_path))


def test_a_pause_until_a_date_that_is_days_off_is_an_error_and_no_wait(small_sky, tmp_path, login, backwards):
    fault = Fault("", "429", value=formatdate(time.time() + 5 * DAY, usegmt=True))
    with serve(small_sky / "sky.sqlite", [], faults=[fault]) as server, pytest.raises(CrosszError, match="HTTP 429"):
        fetch(server, tmp_path / "query", "skyserver", deadline_s=3)
