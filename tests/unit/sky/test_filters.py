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
