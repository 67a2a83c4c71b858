"""What a run will fetch, said beforehand."""

import json

import pandas as pd
import pytest

from crossz.archive.forecast import forecast, write_forecast


def shard(fields, objects):
    rows = [(301, 94, 1, 11 + number % fields) for number in range(objects)]
    return pd.DataFrame(rows, columns=["rerun", "run", "camcol", "field"])


def test_a_forecast_counts_fields_once_and_adds_up():
    expected = forecast([shard(2, 6), shard(3, 3)], rate_MB_s=17, spectra=9)
    assert (expected["objects"], expected["fields"], expected["files"]) == (9, 5, 25)
    assert expected["fetched_GB"] == pytest.approx(25 * 3.4 / 1000)
    assert expected["largest_shard_GB"] == pytest.approx(15 * 3.4 / 1000)
    assert expected["spectra_GB"] == pytest.approx(9 * 0.26 / 1000, abs=1e-3)
    slow = forecast([shard(2, 6), shard(3, 3)], rate_MB_s=0.01, spectra=9)
    assert slow["fetch_hours"] == pytest.approx((25 * 3.4 + 9 * 0.26) / 0.01 / 3600, abs=0.01)
    assert forecast([shard(2, 6)], rate_MB_s=17, spectra=0)["spectra_GB"] == 0


def test_only_objects_of_the_catalogs_with_spectra_count(tmp_path):
    plans, catalogs = [tmp_path / "0000.parquet", tmp_path / "0001.parquet"], [tmp_path / "baseline.parquet"]
    for path, objects in zip(plans, ([1, 2, 3], [4, 5]), strict=True):
        shard(2, len(objects)).assign(specObjID=objects).to_parquet(path)
    pd.DataFrame({"specObjID": [2, 4, 5, 9]}).to_parquet(catalogs[0])
    for some, spectra in ((catalogs, 3), ([], 0)):
        write_forecast(plans=plans, catalogs=some, costs=tmp_path / "costs.json", rate_MB_s=17)
        assert json.loads((tmp_path / "costs.json").read_text())["spectra"] == spectra
