"""The paired comparison: differences as they are, intervals that keep their promise, pairs that cancel."""

import numpy as np
import pandas as pd
import pytest

from crossz.core.errors import CrosszError
from crossz.estimates.estimates import Point
from crossz.estimates.predictions import ScoredRows, write_predictions
from crossz.scores import comparison, intervals

N = 400
SPLITS = 5
FRACTIONS = (0.6, 0.2, 0.2)
GROUPS = {"baseline": pd.Series(np.arange(N), np.arange(N))}


@pytest.fixture
def predictions(tmp_path):
    """Five splits of the same objects: `main`, a copy of it a little worse, one that only scatters otherwise."""
    rng = np.random.default_rng(3)
    z = rng.uniform(1, 4, N)
    paths = []
    for split in range(SPLITS):
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
    table = comparison.comparison(predictions, GROUPS, "crossmodal", 1, FRACTIONS)
    pairs = [(row["model"], row["inputs"], row["against"]) for _, row in table.iterrows()]
    assert pairs == [
        ("crossmodal", "phot+img", "phot+img"),
        ("crossmodal", "phot+img_gen", "phot+img"),
        ("no_adversary", "phot+img", "phot+img"),
        ("knn", "phot", "phot+img"),
        ("knn", "phot", "phot+img_gen"),
    ]
    assert table["d_rmse"].isna().tolist() == [True, False, False, False, False]
    assert (table["splits"] == SPLITS).all()
    knn = table[table["model"] == "knn"]["d_rmse"].to_numpy()
    assert knn[1] < knn[0] - 0.01  # it is compared with something worse


def test_a_small_difference_shows_where_errors_are_paired_and_not_where_they_are_not(predictions):
    table = comparison.comparison(predictions, GROUPS, "crossmodal", 1, FRACTIONS).set_index(
        ["model", "inputs", "against"]
    )
    worse, other = table.loc[("no_adversary", "phot+img", "phot+img")], table.loc[("knn", "phot", "phot+img")]
    assert worse["d_rmse"] == pytest.approx(worse["rmse"] / 11, rel=1e-6)
    assert worse["n"] == N - 40
    for ends in ("", "_objects"):
        assert 0 < worse[f"d_rmse{ends}_low"] < worse["d_rmse"] < worse[f"d_rmse{ends}_high"]
        assert other[f"d_rmse{ends}_low"] < 0 < other[f"d_rmse{ends}_high"]
    width = (other["d_rmse_objects_high"] - other["d_rmse_objects_low"]) / 2
    assert width == pytest.approx(1.96 * 0.05 / np.sqrt(SPLITS * (N - 40)), rel=0.3)  # two RMSEs of five splits each
    # What both have in common cancels.
    assert worse["d_rmse_objects_high"] - worse["d_rmse_objects_low"] < 0.3 * 2 * width


def test_the_rmse_is_that_of_the_mean_and_sigma_nmad_that_of_the_median(predictions):
    before = comparison.comparison(predictions, GROUPS, "crossmodal", 1, FRACTIONS)
    for path in predictions:
        table = pd.read_parquet(path)
        table.assign(z_median=table["z_spec"] + 0.1 * (table["z_phot"] - table["z_spec"])).to_parquet(path)
    after = comparison.comparison(predictions, GROUPS, "crossmodal", 1, FRACTIONS)
    assert after["rmse"].tolist() == before["rmse"].tolist()
    np.testing.assert_allclose(after["sigma_nmad"], 0.1 * before["sigma_nmad"])


def test_the_corrected_interval_worked_out_by_hand():
    low, high = intervals.corrected(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 1 / 3)
    assert low == pytest.approx(3 - 2.776445 * np.sqrt((1 / 5 + 1 / 3) * 2.5))
    assert high == pytest.approx(6 - low)
    assert np.isnan(intervals.corrected(np.array([1.0]), 1 / 3)).all()


def test_groups_are_drawn_and_not_objects(predictions):
    """Pairs of objects, each a group: half as many are independent."""
    tables = [pd.read_parquet(path) for path in predictions]
    for path, table in zip(predictions, tables, strict=True):
        twice = table.iloc[np.repeat(np.arange(len(table)), 2)].assign(objID=np.arange(2 * len(table)))
        twice.to_parquet(path)
    widths = {}
    for name, group in (("objects", np.arange(2 * N)), ("groups", np.arange(2 * N) // 2)):
        groups = {"baseline": pd.Series(group, np.arange(2 * N))}
        table = comparison.comparison(predictions, groups, "crossmodal", 1, FRACTIONS)
        row = table[table["model"] == "knn"].iloc[0]
        widths[name] = row["d_rmse_objects_high"] - row["d_rmse_objects_low"]
    assert widths["groups"] == pytest.approx(np.sqrt(2) * widths["objects"], rel=0.2)


def without_a_difference(rng, objects=400, terms=6):
    """Test rows of two exchangeable methods: what each learns depends on its training objects and its random start.

    The error of an object is its own, the same for both, and a smooth function of its place: the mistake of the trained
    network. The coefficients of this function are means over the training objects, so that splits that share objects
    make similar mistakes, and a part of each training alone.
    """
    own = 0.05 * rng.standard_t(4, objects)
    place = np.cos(np.arange(terms) * np.pi * rng.random((objects, 1)))
    lesson = 0.4 * rng.normal(size=(2, objects, terms))  # what an object teaches each method
    rows, z_phot = [], {("a", "phot"): [], ("b", "phot"): []}
    for split in range(SPLITS):
        order = rng.permutation(objects)
        train, test = order[: int(0.6 * objects)], np.sort(order[int(0.8 * objects) :])
        rows.append(pd.DataFrame({"objID": test, "z_spec": 0.0, "split": split}))
        for number, errors in enumerate(z_phot.values()):
            learnt = lesson[number, train].mean(0) + 0.01 * rng.normal(size=terms)
            errors.append(own[test] + place[test] @ learnt)
    points = {key: np.concatenate(parts) for key, parts in z_phot.items()}
    return ScoredRows(pd.concat(rows, ignore_index=True), points, points)


def test_where_nothing_differs_a_corrected_interval_rarely_leaves_out_0(monkeypatch):
    """At most 7 in 100; it may be conservative. That of objects only claims a difference several times as often."""
    monkeypatch.setattr(comparison, "RESAMPLES", 40)
    rng, found = np.random.default_rng(8), []
    for _ in range(200):
        tests = without_a_difference(rng)
        _, row = comparison.differences(tests, tests.rows["objID"].to_numpy(), "a", 1, FRACTIONS[2] / FRACTIONS[0])
        names = [f"d_{score}{kind}" for kind in ("", "_objects") for score in comparison.SCORES]
        found.append([not row[f"{name}_low"] <= 0 <= row[f"{name}_high"] for name in names])
    outside = np.mean(found, axis=0).reshape(2, -1)
    assert (outside[0] <= 0.07).all()
    assert (outside[0] >= 0.01).all()
    assert (outside[1] > 0.15).all()


def test_models_of_other_objects_are_not_compared(predictions):
    table = pd.read_parquet(predictions[-1])
    table[table["objID"] != N - 1].to_parquet(predictions[-1])
    with pytest.raises(CrosszError, match="baseline: knn phot was scored on other objects"):
        comparison.comparison(predictions, GROUPS, "crossmodal", 1, FRACTIONS)


def test_the_page_says_what_differs_for_certain(predictions, tmp_path):
    catalog = tmp_path / "results/catalog/baseline.parquet"
    catalog.parent.mkdir(parents=True)
    pd.DataFrame({"objID": np.arange(N), "group": np.arange(N)}).to_parquet(catalog)
    for name in ("a", "b"):
        files = {"csv": tmp_path / f"{name}.csv", "markdown": tmp_path / f"{name}.md"}
        settings = {"main": "crossmodal", "seed": 1, "fractions": FRACTIONS}
        comparison.write_comparison(predictions=predictions, catalogs=[catalog], **files, **settings)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    lines = (tmp_path / "a.md").read_text().splitlines()
    row = {name: next(line for line in lines if line.startswith(f"| {name} |")) for name in ("no_adversary", "knn")}
    assert "| **+0.00" in row["no_adversary"]
    assert "**" not in row["knn"].rsplit("|", 2)[0]
    assert row["knn"].rsplit("|", 2)[1].startswith(" **-0.0")
    ours = [line for line in lines if line.startswith("| crossmodal |")]
    assert ours[0].count("—") == 3
    assert ours[1].endswith("** | — |")
