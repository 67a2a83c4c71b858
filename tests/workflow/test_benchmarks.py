"""The page of costs shows what the benchmarks wrote."""

import json
import sys

import pytest
from helpers import ROOT

RESULTS = sorted((ROOT / "benchmarks/results").glob("*.json"))


@pytest.fixture
def run(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield __import__("run")
    for name in ("run", "common"):
        sys.modules.pop(name, None)


def test_every_table_of_the_page_is_one_of_a_committed_result(run):
    page = run.PAGE.read_text()
    results = [json.loads(path.read_text()) for path in RESULTS]
    assert results
    for name in run.BENCHMARKS:
        assert page.count(f"<!-- {name} -->\n") == 1
        shown = page.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]
        tables = [
            "\n".join([f"{one[name]['machine']}.", "", *one[name]["table"], ""]) for one in results if name in one
        ]
        assert shown in (tables or [""]), name


def test_a_table_replaces_the_one_before_and_leaves_the_rest(run):
    page = "a\n<!-- store -->\nold\n<!-- /store -->\nb\n<!-- scale -->\nkept\n<!-- /scale -->\n"
    found = run.filled(page, {"store": {"machine": "M, 2 cores", "table": ["| x |", "| --- |"]}})
    assert found == page.replace("old", "M, 2 cores.\n\n| x |\n| --- |")
    with pytest.raises(SystemExit, match="0 places for frames"):
        run.filled(page, {"frames": {"machine": "M", "table": []}})


def test_the_machine_has_no_name_in_it(run):
    import platform

    assert "cores" in run.machine()
    assert platform.node() not in run.machine()
