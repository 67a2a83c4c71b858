"""The main job's result tells whether the networks see the images of their objects."""

import shutil

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
    "mml": {"datasets": []},
    "stack": False,
}
"""Enough quasars, and little else."""
BROKEN = """
_own = ImageStore.gather
ImageStore.gather = lambda store, rows: tuple(part[::-1].copy() for part in _own(store, rows))
"""
"""What is written at the end of `images/store.py`: of the objects that are read together, the first gets the image of the last."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A copy of the project with a finished main job."""
    where = copied(tmp_path_factory.mktemp("run"))
    snakemake(where, TARGET, **SETTINGS)
    return where


def assert_images_tell_redshifts(where):
    """An image without its magnitudes says much about the redshift, and with them it does no harm."""
    metrics = pd.read_csv(where / TARGET)
    rmse = metrics[metrics["estimate"] == "mean"].set_index(["model", "inputs"])["rmse"]
    assert rmse["crossmodal", "phot_gen+img"] < 0.8 * rmse["mean", "phot"]
    assert rmse["crossmodal", "phot+img"] < 0.65 * rmse["mean", "phot"]


def test_an_image_without_its_magnitudes_says_much_about_the_redshift(run):
    assert_images_tell_redshifts(run)


def test_a_network_that_gets_the_images_of_other_objects_fails_the_same_test(run, tmp_path):
    where = shutil.copytree(run, tmp_path / "broken")
    with (where / "src/crossz/images/store.py").open("a") as store:
        store.write(BROKEN)
    snakemake(where, TARGET, **SETTINGS)  # trains again, since the code is another one
    with pytest.raises(AssertionError):
        assert_images_tell_redshifts(where)
