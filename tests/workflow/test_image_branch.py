"""The main job's result tells whether the networks see the images of their objects."""

import pandas as pd
import pytest
from project import copied, snakemake

TARGET = "results/metrics.csv"
SETTINGS = {
    "datasets": ["extended"],
    "sky": {"quasars": 400, "quasars_per_field": 60},
    "splits": {"count": 1, "fractions": [0.6, 0.1, 0.3]},
    "plan": {"shards": 1},
    "train": {"epochs": 16, "batch_size": 16},
    "references": {"models": ["mean"]},
    "mml": {"run": False},
    "stack": False,
}
"""Enough quasars, and little else."""


@pytest.fixture(scope="module")
def rmse(tmp_path_factory):
    """RMSE of the main job, by model and inputs."""
    where = copied(tmp_path_factory.mktemp("run"))
    snakemake(where, TARGET, **SETTINGS)
    metrics = pd.read_csv(where / TARGET)
    return metrics[metrics["estimate"] == "mean"].set_index(["model", "inputs"])["rmse"]


def test_an_image_without_its_magnitudes_says_much_about_the_redshift(rmse):
    # 0.65. With each image given to another object, as a broken image branch would, it is 1 or more.
    assert rmse["crossmodal", "phot_gen+img"] < 0.8 * rmse["mean", "phot"]
    assert rmse["crossmodal", "phot+img"] < 0.65 * rmse["mean", "phot"]
