"""Refraction of spectra, and of the real telescope."""

import numpy as np
import pytest
from astropy.io import fits

from crossz.core.constants import BANDS
from crossz.sdss.zenith import airmass, zenith
from crossz.sky import filters, refraction, seds


def test_refraction_is_that_of_thin_air():
    lifted = refraction.refraction(np.array([4000.0, 5500.0, 6000.0]))
    at_sea = 58.3 * 283 / 760  # arcsec a mm Hg and K (Allen 1973, section 55)
    assert lifted[1] == pytest.approx(at_sea * 550 / 280, rel=0.01)
    # Refractivity of standard air at 400 and 600 nm: 282.8e-6 and 277.0e-6 (Edlen 1953).
    assert lifted[0] / lifted[2] == pytest.approx(282.8 / 277.0, abs=4e-4)


def test_a_power_law_needs_no_spectrum():
    wavelength = filters.WAVELENGTH
    spectra = (wavelength / 6000.0)[None] ** np.array([[-2.5], [-1.5], [0.5]])
    exact = refraction.of_spectra(spectra, filters.weights(), wavelength)
    assert refraction.of_colours(filters.fluxes(spectra), filters.weights(), wavelength) == pytest.approx(
        exact, abs=4e-3
    )


def test_an_emission_line_moves_the_band_that_it_is_in():
    z = np.linspace(1.7, 2.3, 25)
    parameters = seds.draw(np.random.default_rng(1), z, np.full(len(z), 19.0))
    parameters = parameters.iloc[[0] * len(z)].assign(bal_depth=0.0, reddening=0.0)
    spectra = seds.spectra(parameters, z, filters.WAVELENGTH)
    exact = refraction.of_spectra(spectra, filters.weights(), filters.WAVELENGTH)
    smooth = refraction.of_colours(filters.fluxes(spectra), filters.weights(), filters.WAVELENGTH)
    signal = 1000 * (exact - smooth)  # mas at 45 degrees: what colours do not tell
    assert np.ptp(signal[:, BANDS.index("u")]) > 15
    assert np.ptp(signal[:, BANDS.index("g")]) > 10
    assert np.ptp(signal[:, BANDS.index("z")]) < 5


def test_zenith_and_airmass_are_those_of_real_frames(sdss):
    """HDU 3 has the airmass, and the colour term of the astrometry, which points to the zenith (but for g's own optics)."""
    checked = 0
    for path in sorted((sdss / "sas").rglob("frame-[uriz]-*.fits.bz2")):
        with fits.open(path) as hdus:
            header, row = hdus[0].header, hdus[3].data[0]
        place = header["CRVAL1"], header["CRVAL2"], header["TAI"] / 86400
        assert airmass(*place) == pytest.approx(row["AIRMASS"], abs=0.01)
        cd = np.array([[header["CD1_1"], header["CD1_2"]], [header["CD2_1"], header["CD2_2"]]])
        towards = np.linalg.solve(cd, zenith(*place))
        colour = np.array([row["CSCOL"], row["CSROW"]])
        cosine = towards @ colour / np.linalg.norm(towards) / np.linalg.norm(colour)
        assert cosine > 0.999
        checked += 1
    assert checked >= 16
