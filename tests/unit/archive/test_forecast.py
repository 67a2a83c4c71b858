"""What a run will fetch, said beforehand."""

import pandas as pd
import pytest

from crossz.archive.forecast import forecast


def shard(fields, objects):
    rows = [(301, 94, 1, 11 + number % fields) for number in range(objects)]
    return pd.DataFrame(rows, columns=["rerun", "run", "camcol", "field"])


def test_a_forecast_counts_fields_once_and_adds_up():
    expected = forecast([shard(2, 6), shard(3, 3)], rate_MB_s=17, spectra=True)
    assert (expected["objects"], expected["fields"], expected["files"]) == (9, 5, 25)
    assert expected["fetched_GB"] == pytest.approx(25 * 3.4 / 1000)
    assert expected["largest_shard_GB"] == pytest.approx(15 * 3.4 / 1000)
    assert expected["spectra_GB"] == pytest.approx(9 * 0.26 / 1000, abs=1e-3)
    slow = forecast([shard(2, 6), shard(3, 3)], rate_MB_s=0.01, spectra=True)
    assert slow["fetch_hours"] == pytest.approx((25 * 3.4 + 9 * 0.26) / 0.01 / 3600, abs=0.01)
    assert forecast([shard(2, 6)], rate_MB_s=17, spectra=False)["spectra_GB"] == 0
