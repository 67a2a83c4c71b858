"""Frames as real ones are."""

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import map_coordinates
from toy_sky import FRAME, SIGMA, every_frame, opened

from crossz.core.constants import BANDS


def test_frames_are_laid_out_as_real_ones(built):
    for path in every_frame(built):
        with fits.open(path) as hdus:
            hdus.verify("exception")
            header, image = hdus[0].header, hdus[0].data
            _, band, run, camcol, field = path.name.removesuffix(".fits.bz2").split("-")
            assert (header["RUN"], header["CAMCOL"], header["FILTER"].strip()) == (int(run), int(camcol), band)
            assert header["FRAME"] == int(field) + {"r": 0, "i": 2, "u": 4, "z": 6, "g": 8}[band]
            assert image.shape == (FRAME[1], FRAME[0])
            assert hdus[0].data.dtype == ">f4"
            assert header["BUNIT"] == "nanomaggy"
            assert (header["CRPIX1"], header["CRPIX2"]) == (FRAME[0] / 2 + 1, (FRAME[1] + 1) / 2)
            assert hdus[1].data.shape == (FRAME[0],)
            assert hdus[2].columns.names == ["ALLSKY", "XINTERP", "YINTERP"]
            assert len(hdus[3].columns) == 31
            assert hdus[3].data["FIELD"][0] == int(field)


def test_cards_and_columns_are_those_of_a_real_frame(built, sdss):
    real_path = sdss / "sas/dr17/eboss/photoObj/frames/301/1043/5/frame-g-001043-5-0025.fits.bz2"
    with fits.open(real_path) as real, fits.open(every_frame(built)[0]) as ours:
        assert set(ours[0].header) <= set(real[0].header)
        for number in (2, 3):
            assert ours[number].columns.names == real[number].columns.names
        kinds = [[column.format.lstrip("1") for column in hdus[3].columns] for hdus in (ours, real)]
        assert kinds[0] == kinds[1]


@pytest.mark.parametrize("band", BANDS)
def test_pixels_are_calibrated_sky_subtracted_whole_DN(built, band):
    image, _, hdus = opened(next(path for path in every_frame(built) if f"frame-{band}-" in path.name))
    assert 1.4826 * np.median(np.abs(image - np.median(image))) == pytest.approx(SIGMA[band], rel=0.2)
    assert abs(np.median(image)) < 0.25 * SIGMA[band]
    bits = hdus[0].data.astype(np.float32).view(np.uint32)
    assert not np.any(bits & 0x3FFF)  # 10 significant bits
    scaled = (image * 16).astype(np.float16).astype(float) / 16
    assert np.mean(scaled == image) > 0.999
    assert np.abs(scaled - image).max() < 4e-9
    where = hdus[2].data
    grid = np.meshgrid(where["YINTERP"][0], where["XINTERP"][0], indexing="ij")
    dn = image / hdus[1].data + map_coordinates(where["ALLSKY"][0].astype(float), grid, order=1, mode="nearest")
    faint = np.abs(image) < 3 * SIGMA[band]
    assert np.abs(dn - np.rint(dn))[faint].max() < 0.06


def test_astrometry_row_and_wcs_agree(built):
    for path in every_frame(built)[::7]:
        _, wcs, hdus = opened(path)
        row = hdus[3].data[0]
        xy = np.array([[0.0, 0.0], [120.0, 300.0], [299.0, 399.0]])
        mu = row["A"] + row["B"] * (xy[:, 1] + 0.5) + row["C"] * (xy[:, 0] + 0.5)
        nu = row["D"] + row["E"] * (xy[:, 1] + 0.5) + row["F"] * (xy[:, 0] + 0.5)
        m, n, i = np.deg2rad(mu - row["NODE"]), np.deg2rad(nu), np.deg2rad(row["INCL"])
        # Pier et al. (2003), AJ 125, 1559, equation 10 backwards.
        ra = row["NODE"] + np.rad2deg(
            np.arctan2(np.sin(m) * np.cos(n) * np.cos(i) - np.sin(n) * np.sin(i), np.cos(m) * np.cos(n))
        )
        dec = np.rad2deg(np.arcsin(np.sin(m) * np.cos(n) * np.sin(i) + np.sin(n) * np.cos(i)))
        expected = wcs.all_pix2world(xy, 0)
        difference = (np.stack([ra, dec], axis=1) - expected + 180) % 360 - 180
        assert np.abs(difference).max() * 3600 < 0.002
