"""Weights of training objects: they give the targets' distribution, and say how much of it is known."""

import numpy as np
import pandas as pd
import pytest
from quasars import QUASARS

from crossz.apply import cli
from crossz.apply.bundle import load_bundle
from crossz.apply.coverage import coverage
from crossz.core.constants import BANDS


def test_weighted_training_objects_have_the_mean_of_the_targets():
    random = np.random.default_rng(2)
    train, targets = random.normal(0, 1, (2000, 2)), random.normal([0.7, 0], 0.6, (3000, 2))
    found = coverage(train, targets)
    assert found.weight.sum() == pytest.approx(1)
    assert found.weight @ train == pytest.approx([0.7, 0], abs=0.06)
    assert found.weight @ train[:, 0] ** 2 - 0.7**2 == pytest.approx(0.36, abs=0.12)  # a neighbourhood is not a point
    assert found.covered.mean() > 0.95
    # the integral of p_target^2 / p_train over the training objects, of normals
    assert 300 < found.effective < 1100


def test_equal_samples_have_equal_weights_and_distant_targets_none():
    random = np.random.default_rng(3)
    train = random.normal(0, 1, (1500, 2))
    same = coverage(train, random.normal(0, 1, (1500, 2)))
    assert same.effective > 0.85 * 1500
    half = coverage(train, np.concatenate([random.normal(0, 1, (500, 2)), random.normal(50, 1, (500, 2))]))
    assert half.covered[:500].mean() > 0.95
    assert not half.covered[500:].any()
    nothing = coverage(train, random.normal(50, 1, (500, 2)))
    assert (nothing.effective, nothing.weight.max()) == (0, 0)
    assert "worth 0 when weighted" in str(nothing)
    assert "0% of 500 targets" in str(nothing)


@pytest.fixture
def estimates(tmp_path):
    names = [f"{kind}_{band}" for kind in ("psfMag", "psfMagErr", "extinction") for band in BANDS]
    rows = [dict(zip(names, np.concatenate(values), strict=True)) for _, *values in QUASARS.values()]
    pd.DataFrame(rows * 3).to_csv(tmp_path / "mine.csv", index=False)
    cli.main(["predict", "sdss-dr5q", str(tmp_path / "mine.csv"), str(tmp_path / "out.fits"), "--no-page"])
    return tmp_path / "out.fits"


def test_the_command_compares_a_table_of_estimates_with_the_training(estimates, capsys):
    out = estimates.with_name("nz.csv")
    cli.main(["nz", str(estimates), str(out), "--training", "sdss-dr5q"])
    said = capsys.readouterr().err
    train = load_bundle("sdss-dr5q").domain.rows["phot_train"]
    assert f"{np.isfinite(train[:, :5]).all(1).sum():,} training objects are worth " in said
    assert "% of 18 targets have training objects about them" in said
    assert out.with_name("nz-training.png").read_bytes().startswith(b"\x89PNG")


def test_a_table_without_magnitudes_is_refused(estimates):
    from astropy.table import Table

    table = Table.read(estimates)
    bare = estimates.with_name("bare.fits")
    table[[name for name in table.colnames if not name.startswith("psfMag")]].write(bare)
    with pytest.raises(SystemExit, match=r"crossz: .*bare.fits: no column psfMag_u"):
        cli.main(["nz", str(bare), str(bare.with_name("nz.csv")), "--training", "sdss-dr5q"])
    assert not bare.with_name("nz.csv").exists()  # nothing is written before all was checked


def test_names_of_the_user_are_read_as_predict_reads_them(estimates, capsys):
    mine = pd.read_csv(estimates.with_name("mine.csv")).rename(columns=lambda name: name.replace("psfMag_", "mag"))
    mine.to_csv(estimates.with_name("theirs.csv"), index=False)
    out, names = estimates.with_name("named.csv"), ["--columns", "psfMag_*=mag*"]
    cli.main(["predict", "sdss-dr5q", str(estimates.with_name("theirs.csv")), str(out), "--no-page", *names])
    cli.main(["nz", str(out), str(out.with_name("nz.csv")), "--training", "sdss-dr5q", *names])
    assert "of 18 targets have training objects about them" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        cli.main(["nz", str(out), str(out.with_name("nz.csv")), *names])
    assert ended.value.code == 2
