"""Networks are found by name, then as folders and zip files; a wrong name is answered with the nearest one."""

import shutil

import pandas as pd
import pytest
from bundles import exported

from crossz.apply import cli, networks
from crossz.apply.bundle import load_bundle
from crossz.apply.bundle_folder import pack
from crossz.apply.predict import predict
from crossz.core.errors import CrosszError

SCORES = {"rmse": 0.05, "sigma_nmad": 0.03, "crps": 0.02, "coverage_68": 0.68}


@pytest.fixture
def shelf(made, tmp_path, monkeypatch):
    """A folder in place of the package's, with one network: toy-crossmodal."""
    (tmp_path / "shelf").mkdir()
    monkeypatch.setattr(networks, "FOLDER", tmp_path / "shelf")
    pack(bundle=made, archive=tmp_path / "shelf/toy-crossmodal.zip")
    return tmp_path / "shelf"


def test_a_name_a_folder_and_a_zip_file_give_the_same_redshifts(shelf, made, targets, tmp_path, monkeypatch):
    wanted = predict(targets, load_bundle(made))
    for network in ("toy-crossmodal", shelf / "toy-crossmodal.zip", str(made)):
        pd.testing.assert_frame_equal(predict(targets, load_bundle(network)), wanted)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy-crossmodal").mkdir()
    assert networks.place_of("toy-crossmodal").parent == shelf  # not the folder of this name
    with pytest.raises(CrosszError, match="not a crossz bundle"):
        load_bundle("./toy-crossmodal")


@pytest.mark.parametrize(
    ("name", "hint"),
    [("toy-crosmodal", "did you mean toy-crossmodal"), ("nothing", "these come with crossz: toy-crossmodal")],
)
def test_a_wrong_name_is_answered_with_those_that_there_are(shelf, name, hint, tmp_path, capsys):
    for command in (["info", name], ["predict", name, __file__, str(tmp_path / "out.csv")]):
        with pytest.raises(SystemExit, match=f"{name}: no such bundle; {hint}"):
            cli.main(command)


def test_models_says_what_each_network_reads_and_is_worth(shelf, survey, networks, tmp_path, capsys):
    (tmp_path / "e.json").write_text(
        '{"splits": 2, "temperature": {}, "scores": {"phot+img": %s, "phot+img_gen": %s}}'
        % ((str(SCORES).replace("'", '"'),) * 2)
    )
    folder = exported(survey, networks, tmp_path / "toy-scored", ensemble=tmp_path / "e.json")
    pack(bundle=folder, archive=shelf / "toy-scored.zip")
    shutil.move(shelf / "toy-crossmodal.zip", tmp_path)
    cli.main(["models"])
    heading, *lines = capsys.readouterr().out.splitlines()
    z = pd.read_parquet(survey.catalog)["z"]
    assert [line.split()[0] for line in lines] == ["toy-scored", "phot+img_gen"]
    for words in ("phot+img", "dered", f"{z.min():.2f}-", "0.0500", "0.0300", "68.0%"):
        assert words in lines[0]
    assert heading.split()[:3] == ["name", "inputs", "magnitudes"]
