"""The paired comparison: differences as they are, intervals as wide as theory has them, pairs that cancel."""

import numpy as np
import pandas as pd
import pytest

from crossz import comparison
from crossz.samples import write_predictions

N = 400


@pytest.fixture
def predictions(tmp_path):
    """Two splits of the same objects: `main`, a copy of it a little worse, one that only scatters otherwise."""
    rng = np.random.default_rng(3)
    z = rng.uniform(1, 4, N)
    paths = []
    for split in (0, 1):
        rows = pd.DataFrame({"objID": np.arange(N), "z": z, "subset": ["val"] * 40 + ["test"] * (N - 40)})
        error = rng.normal(0, 0.05, N)
        errors = {
            ("crossmodal", "phot+img"): error,
            ("crossmodal", "phot+img_gen"): 1.5 * error,
            ("no_adversary", "phot+img"): 1.1 * error,
            ("knn", "phot"): rng.permutation(error),
        }
        for (model, inputs), dz in errors.items():
            paths.append(tmp_path / f"baseline/{model}/{split}/{inputs}.parquet")
            paths[-1].parent.mkdir(parents=True, exist_ok=True)
            write_predictions(paths[-1], rows, z + dz * (1 + z))
    return paths


def test_rows_are_compared_with_the_main_network_of_the_same_inputs(predictions):
    table = comparison.comparison(predictions, "crossmodal", seed=1).set_index(["model", "inputs"])
    assert table.loc[("no_adversary", "phot+img"), "against"] == "phot+img"
    assert table.loc[("knn", "phot"), "against"] == "phot+img"
    assert pd.isna(table.loc[("crossmodal", "phot+img"), "against"])
    assert table.loc[("crossmodal", "phot+img"), "splits"] == 2


def test_a_small_difference_shows_where_errors_are_paired_and_not_where_they_are_not(predictions):
    table = comparison.comparison(predictions, "crossmodal", seed=1).set_index(["model", "inputs"])
    worse, other = table.loc[("no_adversary", "phot+img")], table.loc[("knn", "phot")]
    assert worse["d_rmse"] == pytest.approx(0.1 * table.loc[("crossmodal", "phot+img"), "rmse"], rel=0.02)
    assert 0 < worse["d_rmse_low"] < worse["d_rmse"] < worse["d_rmse_high"]
    assert worse["n"] == N - 40
    assert other["d_rmse_low"] < 0 < other["d_rmse_high"]
    width = (other["d_rmse_high"] - other["d_rmse_low"]) / 2
    assert width == pytest.approx(1.96 * 0.05 / np.sqrt(2 * (N - 40)), rel=0.3)  # two RMSEs of two splits each


def test_the_page_says_what_differs_for_certain(predictions, tmp_path):
    for name in ("a", "b"):
        comparison.write_comparison(predictions, tmp_path / f"{name}.csv", tmp_path / f"{name}.md", "crossmodal", 1)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    lines = (tmp_path / "a.md").read_text().splitlines()
    assert "| **+0.00" in next(line for line in lines if line.startswith("| no_adversary"))
    assert "**" not in next(line for line in lines if line.startswith("| knn"))
    assert next(line for line in lines if line.startswith("| crossmodal | phot+img_gen |")).endswith("** | phot+img |")
    assert next(line for line in lines if line.startswith("| crossmodal | phot+img |")).endswith("| — | — |")
