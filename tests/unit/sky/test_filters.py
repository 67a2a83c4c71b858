"""Fluxes and magnitudes."""

import numpy as np
import pytest
import speclite.filters
from astropy import units

from crossz.core.constants import BANDS
from crossz.sky import filters, seds


def test_fluxes_agree_with_speclite():
    rng = np.random.default_rng(1)
    z = np.array([0.5, 1.5, 2.5, 3.5])
    wavelength = np.arange(2900.0, 11300.0, 1.0)
    parameters = seds.draw(rng, z, np.full(4, 19.0))
    fine = seds.spectra(parameters, z, wavelength) * 1e-16
    curves = speclite.filters.load_filters(*(f"sdss2010-{band}" for band in BANDS))
    unit = units.erg / units.s / units.cm**2 / units.AA
    table = curves.get_ab_maggies(fine * unit, wavelength * units.AA)
    expected = np.array([list(row) for row in table]) * 1e9 * 10 ** (-0.4 * filters.SDSS_MINUS_AB)
    assert filters.fluxes(seds.spectra(parameters, z, filters.WAVELENGTH) * 1e-16) == pytest.approx(expected, rel=4e-3)


def test_asinh_magnitudes():
    flux = np.array([[10.0] * 5, [0.0] * 5, [-1.0] * 5])
    magnitude, error = filters.asinh_magnitude(flux, np.full((3, 5), 0.1))
    assert magnitude[0] == pytest.approx([20.0] * 5, abs=6e-3)  # bright: a usual magnitude
    # Zero flux: SDSS DR7, Table 21 of the algorithms page.
    assert magnitude[1] == pytest.approx([24.63, 25.11, 24.80, 24.36, 22.83], abs=6e-3)
    assert np.all(magnitude[2] > magnitude[1])
    assert error[0] == pytest.approx([0.010857] * 5, rel=0.02)
    step = 1e-5
    slope = (filters.asinh_magnitude(flux + step, flux)[0] - magnitude) / step
    assert error == pytest.approx(-slope * 0.1, rel=1e-3)
