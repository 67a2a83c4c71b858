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


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"psfmag_u": "umag"}, "psfmag_u; did you mean psfMag_u?; there are objID, "),
        ({"zz_top": "a"}, "zz_top"),
        ({"nonsense*": "*mag"}, "nonsense*"),
        ({"": "a"}, ""),
        ({"w1mpro": "w1", "psfMag_*": "*mag"}, "w1mpro"),
    ],
)
def test_a_column_that_crossz_has_not_is_refused(columns, words):
    config = copy.deepcopy(DEFAULT)
    config["catalog"]["columns"] = columns
    config["catalog"]["also"] = {"more": {"columns": columns}}
    lines = problems(config)
    assert [line.split(": ")[0] for line in lines] == ["catalog.columns", "catalog.also.more.columns"]
    for line in lines:
        assert f": crossz has no column {words}" in line
        assert "psfMag_*, psfMagErr_*, extinction_*, rerun" in line


def test_a_column_that_some_network_reads_may_be_mapped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/bundle.json").write_text('{"columns": ["w2mpro"], "images": null}')
    config = copy.deepcopy(DEFAULT) | {"bundle": "b"}
    config["photometry"] |= {"columns": ["w1mpro", "dcr"], "crossmatch": ["gaia"]}
    names = ["objID", "psfMag_*", "rowc_*", "dcr_u", "offsetRa_*", "TAI_r", "w1mpro", "w2mpro", "gaia_g"]
    config["catalog"]["columns"] = {name: name.replace("_", "") for name in names}
    assert problems(config) == []
