"""The command `crossz`: the Python call's answers in files, and errors in one line."""

import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pandas as pd
import pytest
import toy
from astropy.table import Table
from bundles import exported, trained
from helpers import ROOT

from crossz.apply import bundle, cli, predict
from crossz.core.names import BANDS
from crossz.core.version import VERSION


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"), 120)


@pytest.fixture(scope="module")
def made(survey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    return exported(survey, trained(survey, folder / "models"), folder / "toy-crossmodal")


@pytest.fixture
def targets(survey, tmp_path):
    """mine.csv: targets without redshifts, extinctions or psfMag."""
    rows = pd.read_parquet(survey.catalog)
    kept = ["objID", *(f"{kind}_{band}" for kind in ("dered", "psfMagErr") for band in BANDS)]
    rows[kept].to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


def said(capsys, *arguments, status=1):
    """What a failed command says: one line, unless its problems are listed."""
    with pytest.raises(SystemExit) as caught:
        cli.main([*map(str, arguments)])
    if status == 2:
        assert caught.value.code == 2
        return capsys.readouterr().err
    assert str(caught.value).startswith("crossz: ")  # which Python prints before it ends with status 1
    return str(caught.value)


def test_predict_writes_what_the_python_call_gives(made, targets, tmp_path, capsys):
    wanted = predict.redshifts(pd.read_csv(targets, dtype={"objID": str}), bundle.load(made))
    for suffix, read in ((".parquet", pd.read_parquet), (".csv", pd.read_csv), (".fits", Table.read)):
        out = tmp_path / "new" / f"out{suffix}"
        cli.main(["predict", str(made), str(targets), str(out), "--threads", "1"])
        found = read(out)
        assert list(found["objID"].astype(str)) == wanted["objID"].tolist(), suffix
        assert np.asarray(found["z_phot"], float) == pytest.approx(wanted["z_phot"].to_numpy(), abs=1e-6), suffix
        assert list(found["status"]) == ["ok"] * len(wanted)
        told = capsys.readouterr().err
        assert "2 splits, trained on 69 objects" in told
        assert "120 targets: ok 120; " in told


def test_columns_of_other_names_are_mapped(made, targets, tmp_path):
    cli.main(["predict", str(made), str(targets), str(tmp_path / "a.csv")])
    renamed = pd.read_csv(targets).rename(columns={"dered_u": "umag", "objID": "source"})
    renamed.to_csv(tmp_path / "theirs.csv", index=False)
    cli.main(
        [
            "predict",
            str(made),
            str(tmp_path / "theirs.csv"),
            str(tmp_path / "b.csv"),
            "--columns",
            "dered_u=umag",
            "objID=source",
        ]
    )
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_cutouts_make_the_estimate_that_of_both(survey, made, targets, tmp_path, capsys):
    out = tmp_path / "out.parquet"
    cli.main(["predict", str(made), str(targets), str(out), "--cutouts", *map(str, survey.shards)])
    found = pd.read_parquet(out)
    assert found["inputs"].tolist() == ["phot+img_gen"] * 3 + ["phot+img"] * 117  # the first three have no image
    images = predict.images_of(pd.read_parquet(survey.catalog)["objID"], survey.index, survey.shards)
    wanted = predict.redshifts(pd.read_parquet(survey.catalog).drop(columns="z"), bundle.load(made), images=images)
    assert found["z_phot"].to_numpy() == pytest.approx(wanted["z_phot"].to_numpy(), abs=1e-6)
    twice = [survey.shards[0], shutil.copy(survey.shards[0], tmp_path / "again.arrow")]
    assert "two images of objID" in said(capsys, "predict", made, targets, out, "--cutouts", *twice)
    assert "no such file of cutouts" in said(capsys, "predict", made, targets, out, "--cutouts", tmp_path / "x.arrow")
    without = pd.read_csv(targets).drop(columns="objID")
    without.to_csv(targets, index=False)
    assert "no column objID, by which images are found" in said(
        capsys, "predict", made, targets, out, "--cutouts", *twice
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["out.txt"], "out.txt: tables are written as .parquet, .csv, .fits"),
        (["mine.csv"], "mine.csv: that is the table of targets itself"),
        (["out.csv", "--columns", "dered_u"], "--columns dered_u: say OURS=THEIRS"),
        (["out.csv", "--columns", "deredu=umag"], "no column deredu; did you mean dered_u?"),
        (["out.csv", "--columns", "dered_u=umag"], "umag is no column"),
    ],
)
def test_wrong_calls_are_refused_with_the_remedy_and_write_nothing(made, targets, monkeypatch, capsys, change, words):
    monkeypatch.chdir(targets.parent)
    before = targets.read_bytes()
    assert words in said(capsys, "predict", made, "mine.csv", *change)
    assert targets.read_bytes() == before
    assert [path.name for path in targets.parent.iterdir()] == ["mine.csv"]


def test_a_damaged_bundle_and_absent_targets_are_refused(made, targets, tmp_path, capsys):
    assert "no such table of targets" in said(capsys, "predict", made, tmp_path / "x.csv", tmp_path / "out.csv")
    copy = shutil.copytree(made, tmp_path / "copy")
    (copy / bundle.CARD).write_text("# a better card\n")
    for command in (["predict", copy, targets, tmp_path / "out.csv"], ["info", copy]):
        assert "card.md: not the bytes that the bundle was made with" in said(capsys, *command)
    pd.read_csv(targets).drop(columns=["dered_i", "dered_z"]).to_csv(targets, index=False)
    told = said(capsys, "predict", made, targets, tmp_path / "out.csv")
    assert "mine.csv: no column dered_i, dered_z, which this bundle reads" in told
    assert "--columns dered_i=NAME" in told
    assert not (tmp_path / "out.csv").exists()
    assert "arguments are required: OUT" in said(capsys, "predict", made, targets, status=2)


def test_info_prints_fingerprint_and_card(made, capsys):
    cli.main(["info", str(made)])
    told = capsys.readouterr().out
    assert told.startswith(f"fingerprint {bundle.fingerprint(made)}\n")
    assert told.endswith((made / bundle.CARD).read_text())


def test_it_starts_without_an_installation_and_without_waiting_for_libraries(tmp_path):
    program = "import sys\ntry:\n    from crossz.apply.cli import main; main(['--version'])\nfinally:\n    print(sorted({'torch', 'pandas', 'numpy'} & sys.modules.keys()))"
    environment = {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{VERSION}\n[]\n"
    command = [sys.executable, "-m", "crossz", "info", "nothing"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "crossz: nothing: no such bundle\n")


def test_the_installed_command_is_this_one_and_its_version_the_citation_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"crossz": "crossz.cli:main"}
    assert project["tool"]["hatch"]["version"]["path"] == "src/crossz/version.py"
    assert f"version: {VERSION}\n" in (ROOT / "CITATION.cff").read_text()
    assert "--no-build-isolation --editable ." in (ROOT / "Makefile").read_text()
