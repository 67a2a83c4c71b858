"""Photometry alone on real SDSS DR5 quasars, through the pipeline: the references as published, and the network beside them."""

import subprocess
import sys

import pandas as pd
import pytest
import yaml
from project import copied, environment

from crossz.scores.metrics import headline

SAMPLE = {"random_forest": 0.065, "gradient_boosting": 0.065, "knn": 0.069, "mlp": 0.065}
"""RMSE of dz of references on all 54,161 DR5 quasars of this selection, of which the file here has 32,690."""
SPREAD = {"knn": 0.008}  # neighbours gain most from more objects: scikit-learn's own reach 0.074 on these


@pytest.fixture(scope="module")
def metrics(sdss, tmp_path_factory):
    """metrics.csv of config/photometry.yaml on the DR5 quasars with 1 <= z < 5 and 18 <= psfMag_g <= 22, one split."""
    where = copied(tmp_path_factory.mktemp("dr5q"))
    rows = pd.read_csv(sdss / "catalog/dr5q.csv.gz")
    rows = rows[rows["z"].between(1, 5, inclusive="left") & rows["psfMag_g"].between(18, 22)].reset_index(drop=True)
    rows = rows.assign(objID=rows.index + 1, specObjID=rows.index + 1, zErr=1e-4)
    (where / "data").mkdir()
    rows.to_csv(where / "data/quasars.csv", index=False)
    (where / "mine.yaml").write_text(yaml.safe_dump({"splits": {"count": 1}, "train": {"batch_size": 256}}))
    command = ["--cores", "4", "--configfile", "config/photometry.yaml", "mine.yaml", "--", "results/metrics.csv"]
    subprocess.run(
        [sys.executable, "-m", "snakemake", *command], cwd=where, env=environment(), check=True, timeout=1200
    )
    return headline(pd.read_csv(where / "results/metrics.csv")).set_index("model")


def test_references_are_as_good_as_published(metrics):
    assert metrics["n_test"].nunique() == 1
    for model, rmse in SAMPLE.items():
        assert metrics.loc[model, "rmse"] == pytest.approx(rmse, abs=SPREAD.get(model, 0.006)), model


def test_the_network_of_photometry_alone_is_on_par_with_them(metrics):
    assert metrics.loc["phot", "inputs"] == "phot"
    assert metrics.loc["phot", "rmse"] < 1.03 * metrics.loc[list(SAMPLE), "rmse"].min()
    assert metrics.loc["phot", "sigma_nmad"] < metrics.loc[list(SAMPLE), "sigma_nmad"].min()
    assert metrics.loc["phot", "coverage_68"] == pytest.approx(0.68, abs=0.03)
    assert metrics.loc["phot", "pit_ks"] < 0.04
