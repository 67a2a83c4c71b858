"""Rendering, noise and identifiers of the synthetic sky, without building one."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits as astropy_fits
from hypothesis import given
from hypothesis import strategies as st

from crossz.core.names import BANDS
from crossz.sdss import identifiers
from crossz.sky import fits, geometry, images


def whole(image: np.ndarray) -> tuple[slice, slice]:
    return slice(0, image.shape[0]), slice(0, image.shape[1])


@pytest.mark.parametrize(("x", "y"), [(60.0, 60.0), (60.31, 59.48), (59.5, 60.5)])
def test_a_point_source_has_its_flux_and_centroid(x, y):
    image, psf = np.zeros((121, 121)), images.psf(3.3)
    images.render_points(image, psf, np.array([[x, y]]), np.array([7.0]))
    rows, columns = np.mgrid[:121, :121]
    assert image.sum() == pytest.approx(7.0, rel=1e-5)
    assert (image * columns).sum() / image.sum() == pytest.approx(x, abs=1e-4)
    assert (image * rows).sum() / image.sum() == pytest.approx(y, abs=1e-4)
    half = np.hypot(columns - x, rows - y) < 3.3 / 2 * 1.02
    assert image[half].min() >= 0.45 * image.max()  # FWHM 3.3: at half of it, half the core is left


def test_a_point_source_off_the_edge_is_cut_and_does_not_wrap():
    image, psf = np.zeros((40, 50)), images.psf(3.3)
    images.render_points(image, psf, np.array([[-0.5, 20.0], [-80.0, 20.0], [20.0, 90.0]]), np.full(3, 10.0))
    assert image.sum() == pytest.approx(5.0, rel=0.02)
    assert image[:, 30:].sum() == 0


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
        images.psf(0.8), whole(np.zeros((size, size))), 200, 200, np.array([20.0, 1.0, 0.0]), images.DE_VAUCOULEURS
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


def test_psf_flux_has_the_noise_that_it_states():
    rng = np.random.default_rng(4)
    psf, noise = images.psf(3.3), rng.normal(0, 0.03, (900, 900))
    xy = np.stack(np.meshgrid(np.arange(30.3, 870, 30), np.arange(30.7, 870, 30)), axis=-1).reshape(-1, 2)
    shift, error = images.psf_flux(noise, np.full(noise.shape, 0.03**2), psf, xy)
    chi = shift / error
    assert chi.std() == pytest.approx(1, abs=0.1)
    assert abs(chi.mean()) < 0.15


def test_objIDs_of_the_archive():
    assert identifiers.obj_id(2141, 3, 46, 123) == (1237654669735362939 & ~0xFFFF) | 123
    parts = identifiers.unpack_obj_id(1237654669735362939)
    assert (parts["run"], parts["camcol"], parts["field"], parts["rerun"]) == (2141, 3, 46, 301)


@given(st.integers(1, 0xFFFF), st.integers(1, 6), st.integers(1, 0xFFF), st.integers(0, 0xFFFF))
def test_objIDs_return_their_parts(run, camcol, field, obj):
    parts = identifiers.unpack_obj_id(identifiers.obj_id(run, camcol, field, obj))
    names = ("run", "camcol", "field", "obj", "rerun", "sky_version")
    assert tuple(int(parts[name]) for name in names) == (run, camcol, field, obj, 301, 2)


def test_specObjIDs_of_the_archive():
    assert identifiers.spec_obj_id(10000, 57346, 5, "v5_10_0") == 11259000566062227456  # beyond 2^63
    assert identifiers.spec_obj_id(1251, 52964, 8, "26") == 1408503032211073024


@given(
    st.integers(266, 16383), st.integers(50000, 66383), st.integers(1, 1000), st.sampled_from(["26", "103", "v5_13_2"])
)
def test_specObjIDs_return_their_parts(plate, mjd, fiberID, run2d):
    parts = identifiers.unpack_spec_obj_id(identifiers.spec_obj_id(plate, mjd, fiberID, run2d))
    assert parts == {"plate": plate, "mjd": mjd, "fiberID": fiberID, "run2d": run2d}


def test_identifiers_of_the_real_catalogue(sdss):
    real = pd.read_csv(sdss / "cutouts" / "catalog.csv", dtype={"specObjID": str, "objID": "int64"})
    parts = identifiers.unpack_obj_id(real["objID"])
    # A fifth of that file's rows carry the objID of another detection of their quasar.
    same = np.all([parts[name] == real[name] for name in ("run", "camcol", "field")], axis=0)
    assert same.mean() > 0.75
    assert set(parts["rerun"]) == {301}
    np.testing.assert_array_equal(
        identifiers.obj_id(*(parts[name] for name in ("run", "camcol", "field", "obj"))), real["objID"]
    )
    for specObjID in real["specObjID"]:
        own = identifiers.unpack_spec_obj_id(specObjID)
        again = identifiers.spec_obj_id(own["plate"], own["mjd"], own["fiberID"], own["run2d"])
        assert again == int(specObjID) - (int(specObjID) & 0x3FF)


def test_strips_divide_the_survey():
    for quasars in (100, 2000, 100_000):
        plan = geometry.strips(quasars, (512, 512), 24, 1)
        assert sum(strip.quasars for strip in plan) == quasars
        assert len({(strip.run, strip.camcol) for strip in plan}) == len(plan) >= 2
        assert max(strip.fields for strip in plan) <= geometry.FIELDS_PER_STRIP
        assert sum(strip.fields for strip in plan) == max(-(-quasars // 24), 4)
    with pytest.raises(ValueError, match="at least 128 columns"):
        geometry.strips(100, (64, 512), 24, 1)
    with pytest.raises(ValueError, match="raise quasars_per_field"):
        geometry.strips(10_000_000, (512, 512), 24, 1)


@pytest.mark.parametrize("frame", [(512, 512), (2048, 1489)])
def test_offsets_between_bands_are_those_of_real_frames(frame):
    low, high = geometry.OFFSETS[..., 0] - 0.02, geometry.OFFSETS[..., 1] + 0.02
    seen = []
    for strip in geometry.strips(1000, frame, 24, 3):
        for frames in geometry.tangents(strip, 3):
            centre = np.array([[strip.columns / 2, (strip.rows - 1) / 2]])
            sky = frames[2].wcs().all_pix2world(centre, 0)
            offset = np.array([band.wcs().all_world2pix(sky, 0)[0] for band in frames]) - centre
            assert np.all((offset >= low) & (offset <= high))
            seen.append(offset)
            for band in frames:
                matrix = np.linalg.solve(frames[2].cd, band.cd)  # relative to r
                assert np.all(np.abs(np.diag(matrix) - 1) < 7e-4)
                assert np.all(np.abs(np.rad2deg(matrix[[0, 1], [1, 0]])) < 0.025)
                assert np.sqrt(abs(np.linalg.det(band.cd))) * 3600 == pytest.approx(0.396, rel=1e-3)
    assert len({round(float(offset[0, 0]), 6) for offset in seen}) == len(seen)  # another one for every field


def test_neighbouring_fields_agree_about_their_overlap():
    strip = geometry.strips(1000, (2048, 1489), 24, 3)[0]
    tangents = geometry.tangents(strip, 3)
    for before, after in pairwise(tangents):
        for one, other in zip(before, after, strict=True):
            places = np.array([[20.0, strip.step + 64], [2020.0, strip.step + 100]])
            shift = other.wcs().all_world2pix(one.wcs().all_pix2world(places, 0), 0) - places
            shift[:, 1] += strip.step
            assert 1e-4 < np.abs(shift).max() < 0.11


def test_dust_is_smooth_and_differs_over_the_sky():
    rng = np.random.default_rng(6)
    sky = np.stack([rng.uniform(0, 360, 4000), rng.uniform(-60, 80, 4000)], axis=1)
    ebv = geometry.dust(sky, 8)
    assert ebv.min() >= 0.01
    assert ebv.max() <= 0.3
    assert 0.3 < np.log(ebv).std() < 1
    near = geometry.dust(sky + np.array([0, 1 / 3600]), 8)
    assert np.abs(np.log(near / ebv)).max() < 0.02


def test_fits_bytes_are_read_back_by_astropy(tmp_path):
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    rows = np.zeros(2, [("A", ">f8"), ("NAME", "S5"), ("GRID", ">f4", (2, 3)), ("N", ">i4", (2,))])
    rows["A"], rows["NAME"], rows["GRID"][1] = [1.5, -2e-10], ["ab", "xyzzy"], np.arange(6).reshape(2, 3)
    cards = [("RUN", 94, "a comment"), ("CRVAL1", 359.12345678901234), ("TINY", 1e-10), ("FLAG", False), ("TEXT", "it")]
    path = tmp_path / "a.fits"
    path.write_bytes(fits.primary(image, cards) + fits.image(image[0]) + fits.table(rows, "NAMES"))
    with astropy_fits.open(path) as hdus:
        hdus.verify("exception")
        np.testing.assert_array_equal(hdus[0].data, image)
        assert [hdus[0].header[card[0]] for card in cards] == [card[1] for card in cards]
        np.testing.assert_array_equal(hdus[1].data, image[0])
        np.testing.assert_array_equal(hdus["NAMES"].data["GRID"], rows["GRID"])
        assert list(hdus["NAMES"].data["NAME"]) == ["ab", "xyzzy"]
        assert list(hdus["NAMES"].data["A"]) == [1.5, -2e-10]
