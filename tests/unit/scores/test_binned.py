"""Binned scores: every object in its bin, point estimates as another library has them, errors as theory has them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import root_mean_squared_error

from crossz.estimates.estimates import Pdf, Point
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import write_predictions
from crossz.scores import binned, bootstrap


def predictions(n=3000, sd=0.05, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.uniform(1, 3, n)
    z_phot = z + rng.normal(0, sd, n) * (1 + z)
    extra = {"psfMag_g": rng.uniform(18, 22, n), "zWarning": (rng.random(n) < 0.1).astype(float)}
    return pd.DataFrame({"objID": np.arange(n), "z_spec": z, "z_phot": z_phot, **extra})


def one_model(rows, seed):
    scores = binned.score_bins(rows, {("knn", "phot"): rows["z_phot"].to_numpy()}, seed)
    return pd.DataFrame(scores).set_index(["by", "low"])


def test_every_object_is_in_one_bin_of_each_kind():
    rows = predictions()
    rows.loc[:9, "psfMag_g"] = [-9999, 0, np.nan] * 3 + [-9999]
    counts = {}
    for by, _, _, inside in binned.bins(rows):
        counts[by] = counts.get(by, 0) + inside.astype(int)
    assert (counts["z"] == 1).all()
    assert (counts["zWarning"] == 1).all()
    assert (counts["g"][10:] == 1).all()
    assert (counts["g"][:10] == 0).all()


def test_a_mark_of_a_missing_value_makes_no_bins():
    rows = predictions()
    rows.loc[:4, "psfMag_g"] = [1e300, np.inf, 99.99, 1e9, -np.inf]
    rows.loc[:1, "z_phot"] = [1e9, 1e8]
    scores = one_model(rows, 0).reset_index()
    assert scores[scores["by"] == "g"]["high"].max() < 24
    assert scores[scores["by"] == "z_phot"]["high"].max() < 5


def test_scores_and_errors_of_a_bin():
    rows = predictions()
    scores = one_model(rows, seed=1)
    inside = rows[(rows["z_spec"] >= 2) & (rows["z_spec"] < 2.5)]
    row = scores.loc[("z", 2.0)]
    assert row["n"] == len(inside)
    truth, guess = np.zeros(len(inside)), (inside["z_phot"] - inside["z_spec"]) / (1 + inside["z_spec"])
    assert row["rmse"] == pytest.approx(root_mean_squared_error(truth, guess))
    assert row["rmse_err"] == pytest.approx(0.05 / np.sqrt(2 * len(inside)), rel=0.25)
    assert row["frac_lt_0.1_err"] == pytest.approx(np.sqrt(0.9545 * 0.0455 / len(inside)), rel=0.25)


def test_a_bin_of_a_few_objects_is_counted_and_not_scored():
    rows = pd.concat([predictions(200), predictions(3).assign(z_spec=4.2, objID=[900, 901, 902])])
    scores = one_model(rows, seed=1)
    assert scores.loc["z", "n"].sum() == 203
    assert scores.loc[("z", 4.0), "n"] == 3
    assert scores.loc[("z", 4.0), bootstrap.SCORES].isna().all()


def test_repeated_estimates_of_an_object_do_not_shrink_its_error():
    rows = predictions(400)
    once, five = one_model(rows, seed=2), one_model(pd.concat([rows] * 5), seed=2)
    assert five["rmse_err"].to_numpy() == pytest.approx(once["rmse_err"].to_numpy(), rel=1e-6)


def test_the_table_pools_the_splits_and_is_the_same_bytes_again(tmp_path):
    rows = predictions(200).assign(subset="test")
    paths = []
    for split in ("0", "1"):
        paths.append(tmp_path / f"baseline/knn/{split}/phot.parquet")
        paths[-1].parent.mkdir(parents=True)
        write_predictions(paths[-1], rows.rename(columns={"z_spec": "z"}), Point(rows["z_phot"].to_numpy()))
    rows[["objID", "psfMag_g", "zWarning"]].to_parquet(tmp_path / "baseline.parquet")
    written = []
    for name in ("a.csv", "b.csv"):
        binned.write_binned(predictions=paths, catalogs=[tmp_path / "baseline.parquet"], binned=tmp_path / name, seed=3)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    table = pd.read_csv(tmp_path / "a.csv")
    assert table[["dataset", "model", "inputs"]].drop_duplicates().to_numpy().tolist() == [["baseline", "knn", "phot"]]
    assert table.loc[table["by"] == "z", "n"].sum() == 200


def test_nearby_galaxies_get_narrow_bins():
    rows = predictions(500)
    rows["z_spec"] = np.linspace(0.011, 0.39, 500)
    edges = {(low, high): inside for by, low, high, inside in binned.bins(rows) if by == "z"}
    assert [low for low, _ in edges] == [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35]
    assert sum(inside.astype(int) for inside in edges.values()).tolist() == [1] * 500
    assert all(low <= rows["z_spec"][inside].min() for (low, _), inside in edges.items())


def test_calibration_is_scored_per_bin_of_what_is_known_of_a_new_object(tmp_path):
    rows = predictions(4000).assign(subset="test")
    faint = (rows["psfMag_g"] > 20).to_numpy()
    mean = np.log1p(rows["z_spec"]) + np.random.default_rng(5).normal(0, 0.05, len(rows)) * np.where(faint, 2, 1)
    sigma = np.full((len(rows), 1), 0.05)  # right where bright, half of what it should be where faint
    estimate = Pdf(Mixture(np.ones((len(rows), 1)), mean.to_numpy()[:, None], sigma))
    path = tmp_path / "baseline/crossmodal/0/phot.parquet"
    path.parent.mkdir(parents=True)
    write_predictions(path, rows.rename(columns={"z_spec": "z"}), estimate)
    rows[["objID", "psfMag_g", "zWarning"]].to_parquet(tmp_path / "baseline.parquet")
    out = tmp_path / "a.csv"
    binned.write_binned(predictions=[path], catalogs=[tmp_path / "baseline.parquet"], binned=out, seed=3)
    table = pd.read_csv(out).set_index(["by", "low"])
    names = ["pit_ks", "central_68", "central_95"]
    bright, dim = (table.loc[[("g", low) for low in lows], names].mean() for lows in ((18, 19), (20, 21)))
    assert bright.to_numpy() == pytest.approx([0.03, 0.68, 0.95], abs=0.035)
    assert dim[["central_68", "central_95"]].to_numpy() == pytest.approx([0.381, 0.673], abs=0.035)
    assert dim["pit_ks"] > 0.1
    assert table.loc["z", names].isna().all(axis=None)
    own = table.loc["z_phot"]
    assert own["n"].sum() == (estimate.z_phot > 0).sum()
    assert own.loc[own["n"] > 200, names].notna().all(axis=None)
    second = own[own.index == 2.0].iloc[0]
    inside = (estimate.z_phot >= 2) & (estimate.z_phot < 2.5)
    error = (estimate.z_phot - rows["z_spec"]) / (1 + rows["z_spec"])
    assert second["rmse"] == pytest.approx(np.sqrt((error[inside] ** 2).mean()), abs=1e-6)


def test_points_have_no_calibration():
    assert one_model(predictions(), seed=1)[["pit_ks", "central_68", "central_95"]].isna().all(axis=None)
