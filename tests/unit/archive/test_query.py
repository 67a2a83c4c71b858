"""Queries on SkyServer and CasJobs: counted, sliced, continued, and no work asked for twice."""

import pandas as pd
import pytest
from fetching import DIGEST, asked, fetch
from local_archive import Fault, serve

from crossz.archive import query
from crossz.core.errors import CrosszError
from crossz.core.files import read_json

pytestmark = pytest.mark.usefixtures("login")


@pytest.mark.parametrize("backend", ["casjobs", "skyserver"])
def test_the_rows_are_those_of_the_embedded_service_with_a_receipt(server, honest, tmp_path, backend):
    pd.testing.assert_frame_equal(fetch(server, tmp_path, backend), honest)
    receipt = read_json(tmp_path / "receipt.json")
    assert receipt["source"] == backend
    assert receipt["rows"] == len(honest)
    assert len(receipt["query_sha256"]) == 64
    assert "password" not in (tmp_path / "receipt.json").read_text()


@pytest.mark.parametrize("backend", ["casjobs", "skyserver"])
def test_slices_stay_below_the_cap_and_are_continued(server, honest, tmp_path, monkeypatch, backend):
    monkeypatch.setattr(query, "CAP", 12)
    server.faults.append(Fault(r"BETWEEN 2\d\d", "503"))
    with pytest.raises(CrosszError, match=r"extended: slice \d of \d+: not fetched"):
        fetch(server, tmp_path, backend, deadline_s=4, query_s=2)
    kept = sorted((tmp_path / "cache").glob(f"{DIGEST}-*/*.parquet"))
    assert kept
    server.faults.clear()
    server.hits.clear()
    pd.testing.assert_frame_equal(fetch(server, tmp_path, backend), honest)
    parts = read_json(tmp_path / "receipt.json")["slices"]
    assert parts >= len(honest) / 12
    method = {"casjobs": "POST", "skyserver": "GET"}[backend]
    assert asked(server, method, "", "BETWEEN") == parts - len(kept)
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


def test_rows_of_another_server_are_not_taken_for_this_one_s(server, small_sky, tmp_path):
    fetch(server, tmp_path)
    with serve(small_sky / "sky.sqlite", []) as other:
        fetch(other, tmp_path)
        assert asked(other, "POST", "", "BETWEEN")


@pytest.mark.parametrize("content", [b"PAR1", b"", b'{"bins": [[1]], "time": 1}', b"[]"])
@pytest.mark.parametrize("name", ["counts.json", "*.parquet"])
def test_what_was_kept_and_is_damaged_is_named_with_the_remedy(server, honest, tmp_path, name, content):
    fetch(server, tmp_path, "skyserver")
    (kept,) = (tmp_path / "cache").glob(f"{DIGEST}-*/{name}")
    kept.write_bytes(content)
    with pytest.raises(CrosszError, match=rf"{kept.name}: damaged .*delete it and rerun"):
        fetch(server, tmp_path, "skyserver")
    kept.unlink()
    pd.testing.assert_frame_equal(fetch(server, tmp_path, "skyserver"), honest)
