"""The networks that come with crossz: they are those of the record, in the wheel, and right about well-known quasars."""

import re

import numpy as np
import pandas as pd
import pytest
from hatchling.builders.wheel import WheelBuilder
from helpers import ROOT
from quasars import QUASARS

from crossz.apply import cli
from crossz.apply.bundle_folder import CARD, check, opened
from crossz.apply.networks import FOLDER, shipped
from crossz.core.constants import BANDS
from crossz.core.files import sha256

NAMES = ["sdss-dr5q", "sdss-quasars"]


@pytest.fixture
def table(tmp_path):
    rows = []
    for name, (_, *values) in QUASARS.items():
        columns = [f"{kind}_{band}" for kind in ("psfMag", "psfMagErr", "extinction") for band in BANDS]
        rows.append({"name": name} | dict(zip(columns, np.concatenate(values), strict=True)))
    pd.DataFrame(rows).to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


def test_they_are_the_files_of_the_record_and_small():
    listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", (FOLDER / "SHA256SUMS").read_text(), re.MULTILINE)
    assert (
        [name for _, name in listed]
        == [f"{name}.zip" for name in NAMES]
        == sorted(p.name for p in FOLDER.glob("*.zip"))
    )
    for digest, name in listed:
        assert sha256(FOLDER / name) == digest, f"{name}: make networks writes file and SHA256SUMS together"
    assert sum(path.stat().st_size for path in shipped().values()) <= 10e6


def test_the_wheel_has_them():
    paths = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"crossz/networks/{name}.zip" for name in NAMES} <= paths
    assert "crossz/apply/networks.py" in paths


def test_swapped_arguments_and_images_that_it_does_not_see_are_named(table, capsys):
    out = str(table.with_name("out.csv"))
    with pytest.raises(SystemExit, match="sdss-dr5q is a network: the order is NETWORK TARGETS OUT"):
        cli.main(["predict", str(table), "sdss-dr5q", out])
    np.save(table.with_name("images.npy"), np.zeros((len(QUASARS), 5, 64, 64), np.float32))
    cli.main(["predict", "sdss-dr5q", str(table), out, "--no-page", "--cutouts", str(table.with_name("images.npy"))])
    assert "sdss-dr5q sees no images: --cutouts changes no estimate" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"none.npy: no such file or folder of images"):
        cli.main(["predict", "sdss-quasars", str(table), out, "--cutouts", str(table.with_name("none.npy"))])


@pytest.mark.parametrize("name", NAMES)
def test_its_card_says_what_it_is_good_for_and_whose_data_it_is(name):
    with opened(name) as folder:
        facts, card = check(folder), (folder / CARD).read_text()
    assert facts["magnitudes"] == "psf"
    for scores in facts["ensemble"]["scores"].values():
        assert 0.62 < scores["coverage_68"] < 0.74
    assert f"crossz predict {name} targets.csv" in card
    for words in (
        "psfMag_u",
        "## Scores",
        "## Calibration",
        "## Where it errs",
        "## Known failures",
        "Sloan",
        "## Training domain",
    ):
        assert words in card, words
    assert ("Schneider" if name == "sdss-dr5q" else "Zhang") in card


def test_known_quasars_get_their_redshifts_right_after_the_installation(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cli.main(["predict", "sdss-dr5q", str(table), "out.parquet"])
    found = pd.read_parquet("out.parquet").set_index("name")
    for name, (z, *_) in QUASARS.items():
        row = found.loc[name]
        assert row["z_low_95"] < z < row["z_high_95"], name
        assert row["inputs"] == "phot"
        if name.startswith("SDSS"):  # the others are among the brightest of all, and their PDFs are wide
            assert abs(row["z_median"] - z) < 0.1 * (1 + z), (name, row["z_median"])
    cli.main(["predict", "sdss-quasars", str(table), "out.csv"])
    found = pd.read_csv("out.csv").set_index("name")
    assert found["stacked"].all()
    for name in ("SDSS J1048+5702", "SDSS J0906+0234"):  # those in its range
        z = QUASARS[name][0]
        assert abs(found.loc[name, "z_median"] - z) < 0.1 * (1 + z)
        assert found.loc[name, "z_low_95"] < z < found.loc[name, "z_high_95"]
    capsys.readouterr()
    cli.main(["models"])
    said = capsys.readouterr().out
    assert all(name in said for name in (*NAMES, "phot+img_gen", "psfMag, extinction"))
