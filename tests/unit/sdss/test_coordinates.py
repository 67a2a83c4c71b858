"""Positions on the sphere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossz.sdss.coordinates import chord, separation_arcsec, unit_vectors


def test_unit_vectors_point_along_the_axes():
    vectors = unit_vectors(np.array([0.0, 90.0, 0.0]), np.array([0.0, 0.0, 90.0]))
    np.testing.assert_allclose(vectors, np.eye(3), atol=1e-15)


@given(st.floats(0, 360), st.floats(-89, 89), st.floats(0.01, 3600))
def test_a_shift_in_declination_is_the_separation_and_has_its_chord(ra, dec, arcsec):
    places = np.array([ra]), np.array([dec]), np.array([ra]), np.array([dec + arcsec / 3600])
    assert separation_arcsec(*places)[0] == pytest.approx(arcsec, rel=1e-6, abs=1e-6)
    distance = np.linalg.norm(unit_vectors(*places[:2]) - unit_vectors(*places[2:]))
    assert distance == pytest.approx(chord(arcsec), rel=1e-6, abs=1e-11)


def test_ra_counts_less_near_the_pole_and_wraps_and_nan_stays_nan():
    ra, dec = np.array([10.0, 359.9999, np.nan]), np.array([60.0, 0.0, 0.0])
    ra2 = np.array([10.001, 0.0001, 1.0])
    away = separation_arcsec(ra, dec, ra2, dec)
    assert away[:2] == pytest.approx([1.8, 0.72], rel=1e-4)
    assert np.isnan(away[2])
