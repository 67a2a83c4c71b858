"""Files that settings name: what is wrong with them is told before a job runs, one line each."""

import copy

import pytest
import yaml
from helpers import ROOT

from crossz.apply.named_files import problems

DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())


@pytest.mark.parametrize(
    ("setting", "name", "words"),
    [
        ("targets", "nowhere.csv", "targets: nowhere.csv: no such file"),
        ("targets", "broken.csv", "targets: broken.csv: not a readable .csv table"),
        ("targets", "other.csv", "targets: other.csv: no ra and dec (degrees)"),
        ("bundle", "nowhere", "bundle: nowhere: no folder of a bundle"),
        ("bundle", "odd", "bundle: odd/bundle.json: not a crossz bundle's, or damaged"),
        ("class_bundle", "other.csv", "class_bundle: other.csv: no folder of a bundle"),
        ("start", "nowhere", "train.start: nowhere: no such bundle; these come with crossz"),
        ("start", "other.csv", "train.start: other.csv: no zip file of a bundle"),
        ("start", "odd", "train.start: odd: not a crossz bundle"),
    ],
)
def test_a_wrong_file_is_named_with_its_setting(tmp_path, monkeypatch, setting, name, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.csv").write_bytes(bytes(range(256)))
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/bundle.json").write_text('{"columns": 5}')
    config = copy.deepcopy(DEFAULT)
    (config["train"] if setting == "start" else config)[setting] = name
    (line,) = problems(config)
    assert line.startswith(words)
    assert "\n" not in line


def test_files_that_are_right_are_no_problem(tmp_path):
    (tmp_path / "mine.csv").write_text("ra,dec\n1,1\n")
    config = copy.deepcopy(DEFAULT) | {"targets": str(tmp_path / "mine.csv")}
    config["train"]["start"] = "sdss-dr5q"
    assert problems(config) == []
