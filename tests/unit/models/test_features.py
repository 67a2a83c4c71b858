"""What models see: missing values, colours, scalers that the training part alone decides."""

import numpy as np
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.models import features

FINITE = st.floats(-30, 30, allow_subnormal=False)


@pytest.mark.parametrize("magnitudes", ["dered_model", "psf"])
@pytest.mark.parametrize(
    ("column", "value"),
    [("mag", value) for value in (-9999.0, -99.0, 0.0, 99.0, 99.99, 9999.0, np.nan, np.inf, -np.inf)]
    + [("err", value) for value in (0.0, -9999.0, 9.9, 9.999, 99.0, np.nan, np.inf)],
)
def test_a_missing_magnitude_is_nan_with_an_indicator_and_takes_its_colours_along(magnitudes, column, value):
    table = toy.catalog(4)
    name = {"err": "psfMagErr", "mag": "dered" if magnitudes == "dered_model" else "psfMag"}[column]
    table.loc[1, f"{name}_r"] = value
    phot = features.photometry(table, magnitudes)
    expected = np.zeros((4, 5), bool)
    expected[1, 2] = True
    np.testing.assert_array_equal(phot.missing, expected)
    np.testing.assert_array_equal(np.isnan(phot.mag), expected)
    np.testing.assert_array_equal(np.isnan(phot.err), expected)
    np.testing.assert_array_equal(np.isnan(phot.colour[1]), [False, True, True, False])
    assert np.isfinite(phot.colour[[0, 2, 3]]).all()


def test_faint_magnitudes_of_sdss_and_their_errors_are_values():
    table = toy.catalog(2)
    table.loc[0, ["dered_u", "psfMagErr_u"]] = 27.434, 9.415
    phot = features.photometry(table, "dered_model")
    assert not phot.missing.any()
    assert (phot.mag[0, 0], phot.err[0, 0]) == (27.434, 9.415)


@pytest.mark.parametrize("value", [-9999.0, np.nan, np.inf, 99.0])
def test_an_extinction_that_is_none_is_nan(value):
    table = toy.catalog(2)
    table.loc[0, "extinction_g"] = value
    assert np.isnan(features.photometry(table, "dered_model").extinction).tolist() == [[0, 1, 0, 0, 0], [0] * 5]
    assert features.photometry(table, "psf").missing[0].tolist() == [False, True, False, False, False]


def test_a_psf_magnitude_whose_extinction_is_unknown_is_missing():
    table = toy.catalog(3)
    table.loc[0, "extinction_g"] = np.nan
    phot = features.photometry(table, "psf")
    assert phot.missing[0].tolist() == [False, True, False, False, False]
    assert not features.photometry(table, "dered_model").missing.any()


def test_magnitudes_are_dereddened_and_colours_are_differences_of_neighbours():
    table = toy.catalog(5)
    for magnitudes in ("dered_model", "psf"):
        phot = features.photometry(table, magnitudes)
        np.testing.assert_allclose(phot.mag, table[[f"dered_{band}" for band in BANDS]], rtol=1e-12)
        np.testing.assert_allclose(phot.colour[:, 1], table["dered_g"] - table["dered_r"], rtol=1e-9)
        assert phot.colour.shape == (5, 4)


@pytest.mark.parametrize(
    "change", [lambda table: table.drop(columns="dered_u"), lambda table: table.assign(dered_u=np.nan)]
)
def test_a_column_without_values_is_named_with_the_remedy(change):
    with pytest.raises(CrosszError, match=r"dered_u; set photometry\.magnitudes: psf"):
        features.photometry(change(toy.catalog(3)), "dered_model")


def test_inputs_are_finite_after_scaling_whatever_is_missing():
    table = toy.catalog(50)
    table.loc[:5, "dered_u"], table.loc[3, "psfMagErr_z"], table.loc[7:, "dered_z"] = -9999, 0, np.nan
    for values in (*features.tokens(phot := features.photometry(table, "dered_model")), features.flat(phot)):
        scaled = features.apply_scaler(features.fit_scaler(values), values)
        assert scaled.shape == values.shape
        assert scaled.dtype == np.float32
        assert np.isfinite(scaled).all()
        assert (scaled[np.isnan(values)] == 0).all()


@given(st.lists(FINITE, min_size=20, max_size=60), st.floats(0.1, 10), FINITE)
def test_scaling_forgets_units_and_zero_points(values, unit, zero):
    column = np.array(values)[:, None]
    column = column + np.linspace(0, 1, len(column))[:, None]  # some spread
    ours = features.apply_scaler(features.fit_scaler(column), column)
    theirs = features.apply_scaler(features.fit_scaler(column * unit + zero), column * unit + zero)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_a_few_wild_values_do_not_move_the_scaler_and_are_clipped():
    rng = np.random.default_rng(0)
    values = rng.normal(5, 2, (2000, 1))
    values[:20] = 1e4
    scaler = features.fit_scaler(values)
    assert scaler["centre"][0] == pytest.approx(5, abs=0.2)
    assert scaler["width"][0] == pytest.approx(2, abs=0.2)
    assert np.abs(features.apply_scaler(scaler, values)).max() <= 6


def test_the_sky_noise_is_that_of_the_sky_in_each_band():
    table = toy.catalog(30)
    units = (toy.images(table) * 16).astype(np.float16)
    mask = np.zeros((30, 64, 64), np.uint8)
    np.testing.assert_allclose(np.array(features.sky_noise(units, mask)) / 16, toy.NOISE, rtol=0.06)
    units[:, 1, :, :40], mask[:, :, :40] = 0, 0b00010  # g is not covered in most of each image
    np.testing.assert_allclose(np.array(features.sky_noise(units, mask)) / 16, toy.NOISE, rtol=0.06)


def test_extra_columns_come_after_the_colours_with_an_indicator_each():
    table = toy.catalog(6).assign(w1mpro=[15.0, None, np.nan, -9999, np.inf, 0.0], pm=np.arange(6))
    phot = features.photometry(table, "dered_model", ["w1mpro", "pm"])
    plain = features.photometry(table, "dered_model")
    gone = [False, True, True, True, True, False]
    np.testing.assert_array_equal(np.isnan(phot.extra[:, 0]), gone)
    colours, more = np.split(features.tokens(phot)[1], [4], axis=1)
    np.testing.assert_array_equal(colours, features.tokens(plain)[1])
    np.testing.assert_array_equal(more[:, 2:], np.stack([gone, [False] * 6], axis=1))
    np.testing.assert_array_equal(more[:, :2], phot.extra)
    np.testing.assert_array_equal(features.flat(phot)[:, :14], features.flat(plain))
    np.testing.assert_array_equal(features.flat(phot)[:, 14:], phot.extra)
    with pytest.raises(CrosszError, match=r"w2mpro of photometry\.columns is not there"):
        features.photometry(table, "dered_model", ["w2mpro"])


def test_relative_fluxes_are_those_over_r_with_their_errors_and_do_not_change_with_brightness():
    table = toy.catalog(6)
    phot = features.photometry(table, "dered_model")
    colours, fluxes = np.split(features.tokens(phot, "fluxes")[1], [4], axis=1)
    np.testing.assert_array_equal(colours, phot.colour)
    flux = 10 ** (-0.4 * phot.mag)
    error = flux * phot.err * np.log(10) / 2.5  # of a small error
    np.testing.assert_allclose(np.sinh(fluxes[:, :5]), flux / flux[:, [2]])
    np.testing.assert_allclose(10 ** fluxes[:, 5:], error / flux[:, [2]])
    brighter = phot._replace(mag=phot.mag - 3)
    np.testing.assert_allclose(features.relative_fluxes(brighter), fluxes)
    assert fluxes.shape[1] + 4 == features.colour_count("fluxes", 0)


def test_relative_fluxes_without_r_are_over_the_next_band_and_without_any_band_missing():
    table = toy.catalog(3)
    table.loc[0, "dered_r"] = -9999
    table.loc[1, [f"dered_{band}" for band in BANDS]] = -9999
    fluxes = features.relative_fluxes(features.photometry(table, "dered_model"))
    assert np.isnan(fluxes[0]).tolist() == [False, False, True, False, False] * 2
    assert fluxes[0, 3] == pytest.approx(np.arcsinh(1))
    assert np.isnan(fluxes[1]).all()
    assert np.isfinite(fluxes[2]).all()


@given(st.lists(st.floats(0.01, 49.9), min_size=5, max_size=5))
def test_relative_fluxes_of_any_magnitudes_are_finite(magnitudes):
    table = toy.catalog(1)
    table.loc[0, [f"dered_{band}" for band in BANDS]] = magnitudes
    assert np.isfinite(features.relative_fluxes(features.photometry(table, "dered_model"))).all()


def test_an_extra_column_has_no_number_that_no_measurement_is():
    table = toy.catalog(6).assign(w=[1e300, np.inf, 1e30, -9999.0, np.nan, 15.0])
    extra = features.photometry(table, "dered_model", ["w"]).extra[:, 0]
    np.testing.assert_array_equal(extra, [np.nan] * 5 + [15.0])
