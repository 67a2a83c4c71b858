"""What shines on the sky is in the frames."""

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_sky import FRAME, frame_path, opened

from crossz.core.constants import BANDS
from crossz.sky import images
from crossz.sky.build import build


def test_quasars_shine_where_the_catalog_says(built, tables, truth):
    """Centroids of bright, lonely quasars in the frame files, in every band, against rowc and colc."""
    photo = tables[0].set_index("objID")
    offsets = []
    for quasar in truth[(truth["flux_g"] > 8) & (truth["z"] < 2.8)].itertuples():
        row = photo.loc[quasar.objID]
        for band in "gri":
            path = frame_path(built, row["run"], row["camcol"], row["field"], band)
            if not path.exists():
                continue
            image, _, _ = opened(path)
            x, y = row[f"colc_{band}"] - 0.5, row[f"rowc_{band}"] - 0.5
            if not (12 < x < FRAME[0] - 12 and 12 < y < FRAME[1] - 12):
                continue
            rows, columns = np.mgrid[round(y) - 10 : round(y) + 11, round(x) - 10 : round(x) + 11]
            cut = image[rows, columns]
            cx, cy = x, y
            for _ in range(20):
                weight = np.exp(-((columns - cx) ** 2 + (rows - cy) ** 2) / 2 / 1.5**2) * cut
                cx += 2 * ((weight * columns).sum() / weight.sum() - cx)
                cy += 2 * ((weight * rows).sum() / weight.sum() - cy)
            offsets.append((cx - x, cy - y))
    offsets = np.array(offsets)
    assert len(offsets) > 20
    assert np.abs(np.median(offsets, axis=0)).max() < 0.03
    assert np.median(np.abs(offsets)) < 0.05


def test_different_quasars_are_never_within_three_arcseconds(truth):
    place = truth[["ra", "dec"]].to_numpy() * [np.cos(np.deg2rad(truth["dec"].mean())), 1] * 3600
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1) + 1e9 * np.eye(len(place))
    assert distance.min() > 3


def test_a_psf_of_the_truth_fits_the_stars(truth):
    for band in BANDS:
        arcsec = truth[f"fwhm_{band}"] * 0.396
        assert arcsec.between(1.0, 1.9).all()
    assert truth["fwhm_u"].mean() > truth["fwhm_r"].mean()
    assert images.psf(3.0).weight.sum() == pytest.approx(1)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> tuple[pd.DataFrame, Path]:
    """A sky with more galaxies and stars: its primary rows with their first spectra, and where its frames lie."""
    root = tmp_path_factory.mktemp("mixed")
    build(
        database=root / "sky.sqlite", sas=root / "sas", truth=root / "truth.parquet", seed=11, quasars=30, frame=FRAME,
        quasars_per_field=8, galaxies=60, stars=50, workers=1, progress=lambda line: None,
    )  # fmt: skip
    with sqlite3.connect(root / "sky.sqlite") as connection:
        photo, spec = (pd.read_sql(f"SELECT * FROM {name}", connection) for name in ("PhotoObjAll", "SpecObjAll"))
    rows = photo[photo["mode"] == 1].merge(spec, left_on="objID", right_on="bestObjID", suffixes=("", "_spec"))
    return rows.drop_duplicates("objID"), root


def test_stars_and_galaxies_are_there_when_asked_for_and_stand_apart(mixed):
    rows, _ = mixed
    counts = rows["class"].value_counts()
    assert 60 <= counts["GALAXY"] <= 64  # and the few that are targets by mistake
    assert 50 <= counts["STAR"] <= 54
    assert (rows.loc[rows["class"] == "STAR", "z"].abs() < 0.01).sum() >= 50
    place = rows[["ra", "dec"]].to_numpy() * [np.cos(np.deg2rad(rows["dec"].mean())), 1] * 3600
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1) + 1e9 * np.eye(len(place))
    assert np.sort(distance.min(1))[5:].min() > 3  # a neighbour that is a target by mistake may be near


def test_a_galaxy_s_model_magnitude_is_its_light_in_the_frame_and_psfMag_its_core(mixed):
    rows, root = mixed
    bright = rows[(rows["class"] == "GALAXY") & (rows["petroMag_r"] < 18.5)]
    bright = bright[bright["psfMag_r"] - bright["petroMag_r"] > 0.3]
    differences = []
    for row in bright.itertuples():
        image, _, _ = opened(frame_path(root, row.run, row.camcol, row.field, "r"))
        x, y, radius = row.colc_r - 0.5, row.rowc_r - 0.5, 3.5 * row.petroRad_r / 2 / 0.396
        if min(x, y, FRAME[0] - x, FRAME[1] - y) > radius:
            ys, xs = np.mgrid[: FRAME[1], : FRAME[0]]
            flux = image[np.hypot(xs - x, ys - y) < radius].sum()
            differences.append(22.5 - 2.5 * np.log10(flux) - row.petroMag_r)
    assert len(differences) > 6
    assert abs(np.median(differences)) < 0.1
    dereddened = bright["dered_r"] + bright["extinction_r"]
    assert dereddened.to_numpy() == pytest.approx(bright["petroMag_r"].to_numpy(), abs=1e-4)
