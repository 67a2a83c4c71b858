"""The paired comparison: differences as they are, intervals as wide as theory has them, pairs that cancel."""

import numpy as np
import pandas as pd
import pytest

from crossz.core.errors import CrosszError
from crossz.estimates.estimates import Point
from crossz.estimates.predictions import write_predictions
from crossz.scores import comparison

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
            write_predictions(paths[-1], rows, Point(z + dz * (1 + z)))
    return paths


def test_rows_are_compared_with_the_first_of_the_main_network_and_with_the_one_that_sees_the_same_data(predictions):
    table = comparison.comparison(predictions, "crossmodal", seed=1)
    pairs = [(row["model"], row["inputs"], row["against"]) for _, row in table.iterrows()]
    assert pairs == [
        ("crossmodal", "phot+img", "phot+img"),
        ("crossmodal", "phot+img_gen", "phot+img"),
        ("no_adversary", "phot+img", "phot+img"),
        ("knn", "phot", "phot+img"),
        ("knn", "phot", "phot+img_gen"),
    ]
    assert table["d_rmse"].isna().tolist() == [True, False, False, False, False]
    assert (table["splits"] == 2).all()
    knn = table[table["model"] == "knn"]["d_rmse"].to_numpy()
    assert knn[1] < knn[0] - 0.01  # it is compared with something worse


def test_a_small_difference_shows_where_errors_are_paired_and_not_where_they_are_not(predictions):
    table = comparison.comparison(predictions, "crossmodal", seed=1).set_index(["model", "inputs", "against"])
    worse, other = table.loc[("no_adversary", "phot+img", "phot+img")], table.loc[("knn", "phot", "phot+img")]
    assert worse["d_rmse"] == pytest.approx(0.1 * (worse["rmse"] - worse["d_rmse"]), rel=0.02)
    assert 0 < worse["d_rmse_low"] < worse["d_rmse"] < worse["d_rmse_high"]
    assert worse["n"] == N - 40
    assert other["d_rmse_low"] < 0 < other["d_rmse_high"]
    width = (other["d_rmse_high"] - other["d_rmse_low"]) / 2
    assert width == pytest.approx(1.96 * 0.05 / np.sqrt(2 * (N - 40)), rel=0.3)  # two RMSEs of two splits each
    assert worse["d_rmse_high"] - worse["d_rmse_low"] < 0.3 * 2 * width  # what both have in common cancels


def test_models_of_other_objects_are_not_compared(predictions):
    table = pd.read_parquet(predictions[-1])
    table[table["objID"] != N - 1].to_parquet(predictions[-1])
    with pytest.raises(CrosszError, match="baseline: knn phot was scored on other objects"):
        comparison.comparison(predictions, "crossmodal", seed=1)


def test_the_page_says_what_differs_for_certain(predictions, tmp_path):
    for name in ("a", "b"):
        files = {"csv": tmp_path / f"{name}.csv", "markdown": tmp_path / f"{name}.md"}
        comparison.write_comparison(predictions=predictions, **files, main="crossmodal", seed=1)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    lines = (tmp_path / "a.md").read_text().splitlines()
    row = {name: next(line for line in lines if line.startswith(f"| {name} |")) for name in ("no_adversary", "knn")}
    assert "| **+0.00" in row["no_adversary"]
    assert "**" not in row["knn"].rsplit("|", 2)[0]
    assert row["knn"].rsplit("|", 2)[1].startswith(" **-0.0")
    ours = [line for line in lines if line.startswith("| crossmodal |")]
    assert ours[0].count("—") == 3
    assert ours[1].endswith("** | — |")
