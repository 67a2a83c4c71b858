"""Scores against values worked out by hand, their invariances, and the tables made of them."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossz.core.errors import CrosszError
from crossz.estimates.estimates import Pdf, Point
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import write_predictions
from crossz.scores import metrics

REDSHIFTS = st.lists(st.tuples(st.floats(0, 7), st.floats(0, 7)), min_size=1, max_size=50).map(
    lambda pairs: np.array(pairs).T
)


def test_scores_worked_out_by_hand():
    z_spec = np.array([1.0, 1.0, 3.0, 0.0, 4.0])
    z_phot = np.array([1.0, 1.25, 2.0, 0.5, 4.0])  # dz = 0, 0.125, -0.25, 0.5, 0
    assert metrics.score(z_spec, z_phot) == pytest.approx(
        {
            "rmse": np.sqrt((0.125**2 + 0.25**2 + 0.5**2) / 5),
            "frac_lt_0.1": 0.4,
            "frac_lt_0.2": 0.6,
            "frac_lt_0.3": 0.8,
            "frac_lt_0.4": 0.8,
            "bias_mean": 0.075,
            "bias_median": 0.0,
            "sigma_nmad": 1.4826 * 0.125,
            "outlier_0.15": 0.4,
        }
    )


def test_thresholds_are_strict():
    exact = metrics.THRESHOLDS
    for threshold in exact:
        z_phot = np.array([threshold, np.nextafter(threshold, 0)])
        assert metrics.score(np.zeros(2), z_phot)[f"frac_lt_{threshold}"] == 0.5
    assert metrics.score(np.zeros(2), np.array([0.15, np.nextafter(0.15, 1)]))["outlier_0.15"] == 0.5


@given(REDSHIFTS)
def test_scores_hold_together_for_any_redshifts(redshifts):
    scores = metrics.score(*redshifts)
    shares = [scores[f"frac_lt_{t}"] for t in metrics.THRESHOLDS]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert scores["rmse"] >= abs(scores["bias_mean"]) - 1e-12
    order = np.random.default_rng(0).permutation(redshifts.shape[1])
    assert metrics.score(*redshifts[:, order]) == pytest.approx(scores)
    assert metrics.score(redshifts[0], redshifts[0])["rmse"] == 0


@given(REDSHIFTS, st.floats(-0.5, 0.5))
def test_nmad_forgets_a_common_shift_and_bias_is_it(redshifts, shift):
    z_spec, z_phot = redshifts
    before, after = metrics.score(z_spec, z_phot), metrics.score(z_spec, z_phot + shift * (1 + z_spec))
    assert after["sigma_nmad"] == pytest.approx(before["sigma_nmad"], abs=1e-9)
    for name in ("bias_mean", "bias_median"):
        assert after[name] - before[name] == pytest.approx(shift, abs=1e-9)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_redshift_that_is_no_number_is_refused(bad, tmp_path):
    with pytest.raises(CrosszError, match="1 of 2"):
        metrics.score(np.ones(2), np.array([1.0, bad]))
    rows = pd.DataFrame({"objID": [1, 2], "z": [1.0, 1.0], "subset": ["val", "test"]})
    with pytest.raises(CrosszError, match="not finite"):
        write_predictions(tmp_path / "p.parquet", rows, Point(np.array([1.0, bad])))
    assert not list(tmp_path.iterdir())


def test_no_object_at_all_is_refused():
    with pytest.raises(CrosszError):
        metrics.score(np.array([]), np.array([]))


@pytest.fixture
def run(tmp_path):
    """Files of two splits of dataset `baseline`: predictions of two models, splits, image index."""
    objID = np.arange(40, dtype=np.int64) + 1237654669735362939
    subset = np.array(["train"] * 20 + ["val"] * 8 + ["test"] * 12)
    z = np.linspace(1, 4, 40)
    index, splits, predictions = tmp_path / "images.parquet", [], []
    status = ["missing_frame"] + ["ok"] * 39
    pd.DataFrame({"objID": objID, "shard": 0, "row": range(40), "status": status}).to_parquet(index)
    for split in (0, 1):
        splits.append(tmp_path / f"splits/baseline/{split}.parquet")
        splits[-1].parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"objID": objID, "subset": subset}).to_parquet(splits[-1])
        for model, inputs, error in (("crossmodal", "phot+img", 0.05 + 0.2 * split), ("knn", "phot", 0.3)):
            predictions.append(tmp_path / f"predictions/baseline/{model}/{split}/{inputs}.parquet")
            rows = pd.DataFrame({"objID": objID, "z": z, "subset": subset})[20:]
            write_predictions(predictions[-1], rows, Point(rows["z"].to_numpy() * (1 + error) + error))
    infos = [tmp_path / "models/baseline/crossmodal/1/model.json"]
    infos[0].parent.mkdir(parents=True)
    members = [{"discriminator_accuracy": 0.5}, {"discriminator_accuracy": 0.7}]
    infos[0].write_text(
        json.dumps({"n": {"train": 10}, "members": members})
    )  # this one was trained on a share of the part
    return {
        "predictions": predictions,
        "splits": splits,
        "index": index,
        "infos": infos,
        "metrics": tmp_path / "metrics.csv",
        "table": tmp_path / "table1.md",
    }


def test_metrics_csv_has_the_agreed_columns_and_values_and_equal_bytes_each_time(run):
    metrics.write_metrics(**run)
    table, first = pd.read_csv(run["metrics"]), run["metrics"].read_bytes()
    assert table.columns.tolist() == [
        "dataset", "model", "inputs", "split", "estimate", "n_train", "n_val", "n_test", "rmse", "frac_lt_0.1", "frac_lt_0.2",
        "frac_lt_0.3", "frac_lt_0.4", "bias_mean", "bias_median", "sigma_nmad", "outlier_0.15", "crps", "pit_ks",
        "coverage_68", "coverage_95", "nll",
    ]  # fmt: skip
    assert table[["dataset", "model", "inputs", "split"]].to_numpy().tolist() == [
        ["baseline", "crossmodal", "phot+img", 0],
        ["baseline", "knn", "phot", 0],
        ["baseline", "crossmodal", "phot+img", 1],
        ["baseline", "knn", "phot", 1],
    ]
    assert (table["estimate"] == "point").all()
    assert table["n_train"].tolist() == [19, 19, 10, 19]  # one training row has no image
    assert (table[["n_val", "n_test"]] == [8, 12]).all(axis=None)
    np.testing.assert_allclose(table["rmse"], [0.05, 0.3, 0.25, 0.3], atol=1e-6)
    assert table[["crps", "pit_ks", "coverage_68", "coverage_95", "nll"]].isna().all(axis=None)
    metrics.write_metrics(**run)
    assert run["metrics"].read_bytes() == first
    assert b"\r" not in first


def test_each_estimate_of_a_pdf_is_a_row_and_table_1_shows_the_mean(run):
    """Two peaks: the mean is always between them, the mode at the first; half of the true redshifts are there."""
    rows = pd.read_parquet(run["predictions"][0])
    z = np.where(np.arange(len(rows)) % 2, 2.0, 1.0)
    weight, mean, sigma = ([value] * len(rows) for value in ([0.6, 0.4], np.log([2.0, 3.0]), [0.01, 0.01]))
    pdfs = Pdf(Mixture(*map(np.array, (weight, mean, sigma))))
    write_predictions(run["predictions"][0], rows.assign(z=z), pdfs)
    run["predictions"] = run["predictions"][:1]
    metrics.write_metrics(**run)
    table = pd.read_csv(run["metrics"]).set_index("estimate")
    assert table.index.tolist() == ["mean", "median", "mode"]
    assert table.loc["mode", "frac_lt_0.1"] == 0.5
    assert table.loc["mean", "frac_lt_0.1"] == 0
    assert table.loc["mean", "rmse"] < table.loc["mode", "rmse"]
    assert table["crps"].nunique() == 1
    assert f"| {table.loc['mean', 'rmse']:.4f} ± 0.0000 (0.1010) |" in run["table"].read_text()


def test_the_page_says_how_well_the_discriminators_tell_features_apart(run):
    metrics.write_metrics(**run)
    assert "| baseline | crossmodal | 60.0 ± 14.1 |" in run["table"].read_text()
    run["infos"][0].write_text('{"n": {"train": 10}}')
    metrics.write_metrics(**run)
    assert "Discriminators" not in run["table"].read_text()


def test_models_that_were_scored_on_other_objects_are_not_compared(run):
    table = pd.read_parquet(run["predictions"][1])
    table.iloc[:-1].to_parquet(run["predictions"][1])
    with pytest.raises(CrosszError, match=r"baseline, split 0: knn .* other objects"):
        metrics.write_metrics(**run)


def test_table_1_sets_ours_beside_the_printed_value_and_says_what_was_not_run(run):
    metrics.write_metrics(**run)
    lines = run["table"].read_text().splitlines()
    ours = next(line for line in lines if line.startswith("| baseline | crossmodal | phot+img |"))
    assert "| 2 | 50.00 ± 70.71 (82.05) | 50.00 ± 70.71 (94.62) |" in ours
    assert ours.endswith("| 0.1500 ± 0.1414 (0.1010) |")
    not_run = next(line for line in lines if line.startswith("| baseline | mml | phot+spec_gen |"))
    assert "| not run (84.45) |" in not_run
    assert any(line.startswith("| baseline | knn | phot | 2 | 0.00 ± 0.00 |") for line in lines)


def test_galaxies_stand_below_what_pasquet_et_al_report():
    row = {"dataset": "galaxies", "model": "crossmodal", "inputs": "phot+img", "estimate": "mean"}
    row |= dict.fromkeys(metrics.POINT, 0.012)
    table = metrics.table1(pd.DataFrame([row | {"split": split} for split in (0, 1)]))
    lines = table.splitlines()
    at = lines.index("| Pasquet et al. (2019) | img | — | < 0.0001 | — | < 0.01 | — |")
    assert lines[at + 1].startswith("| crossmodal | phot+img | 2 | 0.01200 ± 0.00000 |")
    assert "Pasquet" not in metrics.table1(pd.DataFrame([row | {"split": 0, "dataset": "mine"}]))


def test_the_printed_table_is_the_papers():
    """Digits of Table 1 of Zhang et al. (2023) add up as read from the paper."""
    printed = metrics.PAPER
    assert printed[["dataset", "model", "inputs"]].drop_duplicates().shape == (6, 3)
    assert printed["rmse"].tolist() == [0.1332, 0.1235, 0.1010, 0.1011, 0.0865, 0.1035]
    assert printed.filter(like="frac").sum().round(2).tolist() == [488.89, 566.23, 585.55, 592.88]
    assert printed.filter(like="frac").diff(axis=1).iloc[:, 1:].gt(0).all(axis=None)
