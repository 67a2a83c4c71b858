"""Runs beside each other: the same files of the user, named from another folder."""

import copy
from pathlib import Path

import pytest

from crossz.core.runs import keep_paths, queries_folder

CONFIG = {
    "targets": "mine.csv",
    "bundle": None,
    "class_bundle": "data",
    "catalog": {"files": {"a": "data/a.csv", "b": None}, "also": {"more": {"file": "data/a.csv", "z": "z"}}},
    "stamps": {"frames_root": "data"},
    "cutouts": {"folder": None},
    "train": {"start": "sdss-dr5q", "epochs": 3},
    "variants": {"deep": {"train": {"start": "data"}}, "point": {"crossmodal": {"head": "point"}}},
}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "workflow/sql").mkdir(parents=True)
    for name in ("mine.csv", "data/a.csv"):
        (tmp_path / name).touch()
    return tmp_path


def test_paths_hold_from_the_folder_of_the_run_and_stay_relative(project):
    config = copy.deepcopy(CONFIG)
    keep_paths(config, project, project / "runs/deep")
    assert config["targets"] == "../../mine.csv"
    assert config["catalog"]["files"] == {"a": "../../data/a.csv", "b": None}
    assert config["catalog"]["also"]["more"] == {"file": "../../data/a.csv", "z": "z"}
    assert (
        config["class_bundle"]
        == config["stamps"]["frames_root"]
        == config["variants"]["deep"]["train"]["start"]
        == "../../data"
    )
    assert config["train"] == {"start": "sdss-dr5q", "epochs": 3}  # a network's name is no path
    again = copy.deepcopy(CONFIG)
    keep_paths(again, project, project)
    assert again == CONFIG


def test_the_queries_are_the_project_s_where_the_folder_has_none(project, tmp_path):
    assert queries_folder(project, project) == Path("workflow/sql")
    assert queries_folder(project / "runs/deep", project) == Path("../../workflow/sql")
    (project / "own/workflow/sql").mkdir(parents=True)
    assert queries_folder(project / "own", project) == Path("workflow/sql")
