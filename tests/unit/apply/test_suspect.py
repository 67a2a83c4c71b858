"""Photometry that cannot be is marked, and other photometry is not."""

import numpy as np
import pandas as pd
import pytest

from crossz.apply.apertures import SHARE
from crossz.apply.bundle import load_bundle
from crossz.apply.predict import images_of, predict
from crossz.apply.suspect import fluxes, photometry_suspect
from crossz.models.features import Photometry
from crossz.sdss.magnitudes import asinh_magnitude

NOISE = np.array([0.4, 0.16, 0.25, 0.4, 1.6])


def suspect(mag, err=0.03, flux=np.nan, extinction=0.0, extended=False):
    mag = np.atleast_2d(np.asarray(mag, float))
    err, flux, extinction = (np.broadcast_to(values, mag.shape) for values in (err, flux, extinction))
    phot = Photometry(mag, err, mag[:, :-1] - mag[:, 1:], np.isnan(mag), extinction, mag[:, :0])
    return photometry_suspect(phot, extinction, flux, NOISE, extended).tolist()


@pytest.mark.parametrize(
    ("mag", "err", "wanted"),
    [
        ([24.5, 21.5, 19.5, 19.3, 19.2], [1, 0.05, 0.02, 0.02, 0.04], False),  # z = 4.2
        ([20.5, 21.5, 19.5, 19.3, 19.2], [0.05, 0.05, 0.02, 0.02, 0.04], True),
        ([20.5, 21.5, 19.5, 19.3, 19.2], [0.8, 0.05, 0.02, 0.02, 0.04], False),  # not certain
        ([20.5, 24.5, 21.5, 19.3, 19.2], [0.05, 0.5, 0.05, 0.02, 0.04], True),  # r over i
        ([19.2, 19.1, 19.0, 18.9, 18.9], 0.03, False),  # z = 1.5
        ([20.5, 18.6, 17.4, 16.9, 16.5], 0.03, False),  # a red galaxy
        ([np.nan, 21.5, 19.5, 19.3, 19.2], 0.03, False),
        ([20.5, np.nan, 19.5, 19.3, np.nan], 0.03, False),
    ],
)
def test_light_in_u_beyond_a_break_cannot_be(mag, err, wanted):
    assert suspect(mag, err) == [wanted]


def test_a_magnitude_that_its_image_contradicts_cannot_be():
    mag = np.array([19.5, 19.2, 19.0, 18.9, 18.9])
    flux, _ = fluxes(mag + 0.2, np.full(5, 0.03))
    image = SHARE * flux
    assert suspect(mag, flux=image, extinction=0.2) == [False]
    assert suspect(mag, flux=image, extinction=np.nan) == [False]
    for band in range(5):
        one = np.where(np.arange(5) == band, 3.0, 1.0)
        assert suspect(mag, flux=image * one, extinction=0.2) == [True]
        assert suspect(mag, flux=image / one, extinction=0.2) == [True]
        assert suspect(mag, flux=image * one, extinction=0.2, extended=True) == [True]
        assert suspect(mag, flux=image / one, extinction=0.2, extended=True) == [False]
    assert suspect(mag, flux=image + 4 * NOISE * [1, 0, 0, 0, 0], extinction=0.2) == [False]
    assert suspect(mag, err=0.5, flux=image * 2, extinction=0.2) == [False]


def test_fluxes_are_those_of_asinh_magnitudes():
    flux = np.array([[-0.5, 0.0, 1.0, 30.0, 4000.0]])
    mag, err = asinh_magnitude(flux, np.full((1, 5), 0.3))
    found, error = fluxes(mag, err)
    assert found == pytest.approx(flux, abs=1e-9)
    assert error == pytest.approx(0.3)


def test_predictions_mark_it_where_extinctions_are_known(made, survey):
    targets = pd.read_parquet(survey.catalog).drop(columns="z")
    images = images_of(targets["objID"], survey.index, survey.cutouts)
    bundle = load_bundle(made)
    fainter = targets.assign(dered_z=targets["dered_z"] + 2)
    has_image = np.arange(len(targets)) >= 3
    assert not predict(targets, bundle, images)["photometry_suspect"].any()
    assert predict(fainter, bundle, images)["photometry_suspect"].tolist() == has_image.tolist()
    assert not predict(fainter, bundle)["photometry_suspect"].any()
    unknown = fainter.drop(columns=[f"extinction_{band}" for band in "ugriz"])
    assert not predict(unknown, bundle, images)["photometry_suspect"].any()
