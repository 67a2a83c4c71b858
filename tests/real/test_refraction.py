"""Differential refraction on real frames: offsets of stars between the bands, as columns."""

import bz2

import numpy as np
import pyarrow as pa
import pytest
from helpers import aperture, centroid
from scipy import ndimage

from crossz.catalog import dcr
from crossz.core.constants import BANDS
from crossz.sdss.frames import FieldID, frame_path, header_of, read_frame

AIRMASS = {FieldID(301, 3918, 3, 213): 1.26, FieldID(301, 2820, 3, 122): 1.36}
"""Fields away from the Galactic plane."""
HALF = 12  # pixels around a star that are looked at
PIXEL = 0.396  # arcsec


def header(sdss, field):
    """Of the frame in r."""
    with bz2.open(frame_path(sdss / "sas", field, "r")) as file:
        return header_of(file.read(10 * 2880), field, "r")[0]


def star(frame, x, y):
    """Centroid and flux of the star near x, y of a frame; NaN where it is not whole, or faint."""
    column, row = round(float(x)), round(float(y))
    if not (HALF <= column < 2048 - HALF and HALF <= row < 1489 - HALF):
        return np.nan, np.nan, np.nan
    pixels = frame.data[row - HALF : row + HALF + 1, column - HALF : column + HALF + 1].astype(float)
    place = x - column + HALF, y - row + HALF
    flux = aperture(pixels, *place, 6)
    if flux < 10:  # nmgy: fainter than 20
        return np.nan, np.nan, np.nan
    found = np.array(centroid(pixels, *place))
    if not np.all(np.abs(found - place) < 2):
        return np.nan, np.nan, np.nan
    x, y = found + np.array([column - HALF, row - HALF])
    return x, y, flux


def offsets(sdss, field):
    """The columns of `dcr` of the stars of a field, in pixels, and g-r."""
    frames = {
        band: read_frame(frame_path(sdss / "sas", field, band), field, band) for band in BANDS[1:]
    }  # few stars are bright in u
    smooth = ndimage.gaussian_filter(frames["r"].data.astype(float), 1.5)
    peak = (smooth == ndimage.maximum_filter(smooth, 41)) & (smooth > 60 * np.median(np.abs(smooth)))
    rows, columns = np.nonzero(peak & (frames["r"].data < 60))
    seen = np.array([star(frames["r"], x, y) for x, y in zip(columns, rows, strict=True)])
    seen = seen[np.isfinite(seen).all(axis=1)]
    place, flux = np.array(frames["r"].wcs.all_pix2world(seen[:, :2], 0)), {"r": seen[:, 2]}
    table = {"ra": place[:, 0], "dec": place[:, 1], "TAI_r": np.full(len(place), header(sdss, field)["TAI"])}
    table |= dict.fromkeys(("offsetRa_u", "offsetDec_u"), np.full(len(place), np.nan))
    for band in "giz":
        there = frames[band].wcs.all_world2pix(place, 0)
        *found, flux[band] = np.array([star(frames[band], x, y) for x, y in there]).T
        apart = (np.array(frames[band].wcs.all_pix2world(*found, 0)).T - place) * 3600
        table |= {f"offsetRa_{band}": apart[:, 0] * np.cos(np.deg2rad(place[:, 1])), f"offsetDec_{band}": apart[:, 1]}
    columns = {name: values.to_numpy(zero_copy_only=False) for name, values in dcr.columns(pa.table(table)).items()}
    return columns, -2.5 * np.log10(flux["g"] / flux["r"])


@pytest.fixture(scope="module")
def stars(sdss):
    return {field: offsets(sdss, field) for field in AIRMASS}


def known(columns, name):
    """Pixels, NaN left out, and those beyond 0.6: two stars."""
    values = columns[name] / PIXEL
    return np.where(np.abs(values) < 0.6, values, np.nan)


def test_the_zenith_angle_is_that_of_the_header(sdss, stars):
    for field, (columns, _) in stars.items():
        angle = np.rad2deg(np.arctan(np.median(columns["zenith_tan"])))
        assert angle == pytest.approx(90 - header(sdss, field)["ALT"], abs=1.0)
        assert 1 / np.cos(np.deg2rad(angle)) == pytest.approx(AIRMASS[field], abs=0.02)


@pytest.mark.parametrize("band", list("giz"))
def test_offsets_of_stars_lie_near_0_and_scatter_by_a_tenth_of_a_pixel(stars, band):
    for field, (columns, _) in stars.items():
        for name in (f"dcr_{band}", f"across_{band}"):
            values = known(columns, name)
            values = values[np.isfinite(values)]
            assert len(values) > 25, (field, name)
            middle = np.median(values)
            assert abs(middle) < 0.2, (field, name)  # a frame's WCS is off by so much, and the catalog's is not
            assert 1.4826 * np.median(np.abs(values - middle)) < 0.1, (field, name)


def test_blue_stars_lie_nearer_to_the_zenith_in_g_where_the_airmass_is_largest(stars):
    columns, colour = stars[FieldID(301, 2820, 3, 122)]
    lifted = known(columns, "dcr_g")
    good = np.isfinite(lifted) & (colour > -0.5) & (colour < 1.8)
    assert np.corrcoef(colour[good], lifted[good])[0, 1] < -0.5
    assert -0.3 < np.polyfit(colour[good], lifted[good], 1)[0] < -0.08  # pixels a magnitude of g-r
