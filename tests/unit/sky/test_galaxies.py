"""Colours of galaxies."""

import numpy as np
import pytest

from crossz.sky import filters, galaxies


def test_an_old_galaxy_reddens_as_its_break_moves_through_the_bands():
    z = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    flux = filters.fluxes(galaxies.spectra(np.zeros(5), np.zeros(5), z, filters.WAVELENGTH))
    colour = -2.5 * np.log10(flux[:, :-1] / flux[:, 1:])
    assert (np.diff(colour[:, 1]) > 0.05).all()  # g-r
    assert colour[0, 1] == pytest.approx(0.77, abs=0.1)
    assert colour[1, 1] == pytest.approx(0.95, abs=0.1)
    young = filters.fluxes(galaxies.spectra(np.ones(5), np.zeros(5), z, filters.WAVELENGTH))
    assert (-2.5 * np.log10(young[:, 1] / young[:, 2]) < colour[:, 1] - 0.3).all()
