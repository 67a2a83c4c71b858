"""Each effect of sky.effects is there when it is on, and not when it is off."""

import functools
import sqlite3

import numpy as np
import pandas as pd
import pytest
from toy_sky import FRAME, every_frame, opened

from crossz.core.constants import BANDS
from crossz.sdss.zenith import zenith
from crossz.sky.build import build
from crossz.sky.survey import EFFECTS


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """Makes skies of 60 quasars with one effect, or none: rows of PhotoObjAll with their truth, and the root."""

    @functools.cache
    def made(*effects):
        root = tmp_path_factory.mktemp("effects")
        build(
            database=root / "sky.sqlite", sas=root / "sas", truth=root / "truth.parquet", seed=7, quasars=60, frame=FRAME,
            quasars_per_field=15, effects=effects, workers=1, progress=lambda line: None,
        )  # fmt: skip
        with sqlite3.connect(root / "sky.sqlite") as connection:
            photo = pd.read_sql("SELECT * FROM PhotoObjAll WHERE mode = 1", connection)
        return pd.read_parquet(root / "truth.parquet").merge(photo, on="objID", suffixes=("", "_photo")), root

    return made


def excess(rows, band):
    """psfMag minus the true magnitude over its error, of rows that have both."""
    good = rows[rows[f"psfMag_{band}"] > 0]
    return (good[f"psfMag_{band}"] - (22.5 - 2.5 * np.log10(good[f"flux_{band}"]))) / good[f"psfMagErr_{band}"]


def test_blending_spoils_magnitudes_and_says_so_in_flags(sky):
    ideal, blended = sky()[0], sky("blending")[0]
    assert np.abs(excess(ideal, "r")).max() < 4.5
    light, before = (np.concatenate([excess(rows, band) for band in "gri"]) for rows in (blended, ideal))
    assert light.min() < -5  # too bright by the light of a neighbour
    assert before.min() > -5
    flagged = blended["flags"].dropna().astype(int) & 0x8 > 0
    assert 0.1 < flagged.mean() < 0.7
    assert not (ideal["flags"].dropna().astype(int) & 0x8).any()


def test_refraction_moves_bands_towards_the_zenith_by_the_spectrum(sky):
    still, moved = sky()[0], sky("dcr")[0]
    assert np.abs(still[[f"offsetRa_{band}" for band in BANDS]]).to_numpy().max() < 1e-4
    offset = np.hypot(moved["offsetRa_g"], moved["offsetDec_g"])
    assert 0.005 < np.median(offset) < 0.2  # arcsec
    assert moved["offsetRa_r"].abs().max() < 1e-4
    bright = moved[moved["flux_g"] > 8]
    lifted = bright["refraction_g"] - bright["refraction_r"]
    up = zenith(bright["ra"], bright["dec"], bright["TAI_r"] / 86400)
    along = np.sum(up * bright[["offsetRa_g", "offsetDec_g"]].to_numpy(), axis=1) / np.sum(up**2, axis=1)
    assert np.corrcoef(along, lifted)[0, 1] > 0.5
    for axis in ("row", "col"):
        names = [f"{axis}c_{band}" for band in BANDS]
        assert (moved[names].to_numpy() != still[names].to_numpy()).mean() > 0.9


def test_hosts_make_near_quasars_larger_and_model_magnitudes_are_fits(sky):
    bare, hosted = sky()[0], sky("hosts")[0]
    near = hosted["z"] < 0.9
    assert near.sum() >= 3
    brighter = 10 ** (-0.4 * (hosted["psfMag_z"] - bare["psfMag_z"])) - 1
    assert brighter[near].median() > 0.02
    assert abs(brighter[hosted["z"] > 2].median()) < 0.01
    model, psf = (hosted[name] + 0 for name in ("dered_r", "psfMag_r"))
    difference = model + hosted["extinction_r"] - psf
    assert (difference.abs() < 1e-4).mean() > 0.2  # the best size is 0: the same fit
    assert difference.min() < -0.02  # a model holds what the PSF does not
    invented = bare["dered_r"] + bare["extinction_r"] - bare["psfMag_r"]
    assert (invented.abs() < 1e-4).mean() < 0.1


def test_a_psf_that_is_not_its_model_changes_bright_magnitudes_by_per_cents(sky):
    exact, wrong = sky()[0], sky("psf")[0]
    change = []
    for band in "gri":
        bright = exact[f"psfMagErr_{band}"] < 0.02
        change.append((wrong[f"psfMag_{band}"] - exact[f"psfMag_{band}"])[bright])
    change = np.concatenate(change)
    assert len(change) > 30
    assert 0.005 < change.std() < 0.06


def test_defects_are_in_the_frames_and_nothing_else_changes(sky):
    (_, clean_root), (spoilt, spoilt_root) = sky(), sky("defects")
    paths = [path.relative_to(clean_root) for path in every_frame(clean_root)]
    change = np.array([np.abs(opened(spoilt_root / path)[0] - opened(clean_root / path)[0]).max() for path in paths])
    assert (change > 1).sum() > 5  # nmgy: cosmic rays and stars that saturate
    quiet = [opened(spoilt_root / path)[0] - opened(clean_root / path)[0] for path in paths[:4]]
    assert max(abs(np.median(pixels)) for pixels in quiet) < 0.02
    assert np.abs(excess(spoilt, "r").median()) < 0.5


def test_all_effects_together_leave_most_magnitudes_right(sky):
    rows, _ = sky(*EFFECTS)
    good = rows[(rows["clean"] == 1)]
    for band in BANDS:
        chi = excess(good, band)
        assert 1.4826 * np.median(np.abs(chi - chi.median())) < 3
