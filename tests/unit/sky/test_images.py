"""Rendering and noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossz.core.constants import BANDS
from crossz.sky import images


def everywhere(image: np.ndarray) -> tuple[slice, slice]:
    return slice(0, image.shape[0]), slice(0, image.shape[1])


def test_a_disc_is_an_exponential_of_its_half_light_radius():
    size = 401
    rows, columns = np.mgrid[:size, :size]
    sharp = images.psf(0.8)
    disc = images.disc(sharp, (slice(0, size), slice(0, size)), 200, 200, np.array([24.0, 1.0, 0.0]))
    r = np.hypot(columns - 200, rows - 200)
    assert disc.sum() == pytest.approx(1, abs=0.01)
    assert disc[r < 24].sum() == pytest.approx(0.5, abs=0.01)
    ratio = disc[200, 200 + 48] / disc[200, 200 + 24]
    assert ratio == pytest.approx(np.exp(-1.678), rel=0.05)
    flat = images.disc(sharp, (slice(0, size), slice(0, size)), 200, 200, np.array([24.0, 0.5, np.pi / 2]))
    assert flat.sum() == pytest.approx(1, abs=0.01)
    assert (flat * (rows - 200) ** 2).sum() == pytest.approx(4 * (flat * (columns - 200) ** 2).sum(), rel=0.03)


def test_a_de_vaucouleurs_profile_has_half_its_light_within_its_radius_and_ends():
    size = 401
    rows, columns = np.mgrid[:size, :size]
    light = images.disc(
        images.psf(0.8), everywhere(np.zeros((size, size))), 200, 200, np.array([20.0, 1.0, 0.0]), images.DE_VAUCOULEURS
    )
    r = np.hypot(columns - 200, rows - 200)
    assert light.sum() == pytest.approx(1, abs=0.01)
    assert light[r < 20].sum() == pytest.approx(0.52, abs=0.015)  # 0.53 of a profile that ends at 8 half-light radii
    assert light[200, 240] / light[200, 220] == pytest.approx(np.exp(-7.669 * (2**0.25 - 1)), rel=0.05)


@pytest.mark.parametrize("band", BANDS)
def test_noise_is_that_of_real_frames(band):
    detector = images.DETECTORS[band]
    model, sky = np.zeros((400, 400)), np.full((400, 400), detector.sky)
    calibration = np.full(400, detector.nmgy_per_dn)
    image = images.expose(np.random.default_rng(2), model, sky, calibration, detector)
    expected = dict(zip(BANDS, (0.047, 0.020, 0.027, 0.045, 0.17), strict=True))[band]
    assert image.std() == pytest.approx(expected, rel=0.03)
    assert image.std() ** 2 == pytest.approx(images.variance(model, sky, calibration, detector).mean(), rel=0.02)
    assert abs(image.mean()) < 4 * expected / 400
    lag = np.mean(image[:, 1:] * image[:, :-1]) / image.var()
    assert abs(lag) < 0.015


def test_a_bright_source_is_noisier_than_the_sky():
    detector = images.DETECTORS["r"]
    model, sky = np.full((300, 300), 20.0), np.full((300, 300), detector.sky)
    calibration = np.full(300, detector.nmgy_per_dn)
    image = images.expose(np.random.default_rng(3), model, sky, calibration, detector)
    assert image.mean() == pytest.approx(20.0, rel=1e-3)
    assert image.var() == pytest.approx(images.variance(model, sky, calibration, detector).mean(), rel=0.03)
    assert image.std() > 5 * 0.027


@given(st.floats(-(2.0**20), 2.0**20, width=32, allow_subnormal=False))
def test_ten_significant_bits(value):
    rounded = images.ten_bits(np.array([value], dtype=np.float32))
    mantissa, _ = np.frexp(rounded.astype(float))
    assert mantissa[0] * 2**10 == np.rint(mantissa[0] * 2**10)
    assert abs(rounded[0] - value) <= abs(value) * 2.0**-10 + 1e-44
