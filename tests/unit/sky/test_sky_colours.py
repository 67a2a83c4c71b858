"""The spectra of the synthetic quasars: absorption, filters, magnitudes, and colours against real quasars."""

import numpy as np
import pandas as pd
import pytest
import speclite.filters
from astropy import units

from crossz.core.names import BANDS
from crossz.sky import filters, igm, seds

# Real SDSS quasars: DR5 catalog (Schneider et al. 2007, AJ 134, 102), PSF magnitudes minus the catalog's
# extinction, all five measured. In bins 0.2 wide about z: medians of u-g, g-r, r-i, i-z, then 1.4826 MAD of each.
DR5 = np.array([
    (0.7, 0.33, 0.01, 0.05, 0.07, 0.13, 0.09, 0.14, 0.13), (0.9, 0.21, 0.12, -0.06, 0.11, 0.13, 0.10, 0.09, 0.09),
    (1.1, 0.11, 0.24, -0.03, -0.04, 0.11, 0.09, 0.08, 0.11), (1.3, 0.05, 0.26, 0.02, -0.06, 0.13, 0.11, 0.07, 0.09),
    (1.5, 0.19, 0.13, 0.17, -0.04, 0.13, 0.11, 0.08, 0.08), (1.7, 0.15, 0.03, 0.24, 0.00, 0.12, 0.09, 0.07, 0.08),
    (1.9, 0.07, 0.03, 0.23, 0.06, 0.13, 0.09, 0.09, 0.10), (2.1, 0.18, 0.08, 0.12, 0.19, 0.17, 0.11, 0.08, 0.08),
    (2.3, 0.51, 0.05, 0.06, 0.21, 0.14, 0.11, 0.08, 0.09), (2.5, 0.59, 0.07, 0.02, 0.21, 0.14, 0.11, 0.07, 0.11),
    (2.7, 0.88, 0.12, 0.08, 0.16, 0.43, 0.11, 0.12, 0.14), (2.9, 1.61, 0.19, 0.08, 0.08, 0.46, 0.11, 0.13, 0.11),
    (3.1, 2.18, 0.25, 0.07, 0.05, 0.69, 0.12, 0.12, 0.11), (3.3, 3.00, 0.39, 0.10, 0.05, 1.05, 0.16, 0.09, 0.10),
    (3.5, 3.63, 0.81, 0.16, 0.07, 0.96, 0.20, 0.08, 0.13), (3.7, 3.25, 1.13, 0.09, 0.05, 1.18, 0.19, 0.08, 0.15),
    (3.9, 3.07, 1.34, 0.14, 0.06, 1.25, 0.23, 0.11, 0.15), (4.1, 2.79, 1.57, 0.23, 0.06, 1.12, 0.28, 0.12, 0.13),
    (4.3, 2.18, 1.94, 0.40, 0.12, 1.13, 0.29, 0.17, 0.12),
])  # fmt: skip
PSF_NOISE = np.array([0.24, 0.10, 0.14, 0.23, 0.85])  # nmgy: error of a PSF flux of the sky alone


def tolerance(z: np.ndarray) -> np.ndarray:
    """Allowed difference of medians [n, 4]: 0.10 mag for 1 < z < 3 and 0.20 beyond; u-g, see `seds.draw`, is freer."""
    allowed = np.where((z > 1) & (z < 3), 0.10, 0.20)[:, None].repeat(4, axis=1)
    allowed[z > 2.6, 0] = 0.60
    allowed[z > 3.2, 0] = np.inf  # u is lost in the sky: an asinh magnitude without information
    return allowed


@pytest.fixture(scope="module")
def synthetic() -> tuple[np.ndarray, np.ndarray]:
    """Redshifts and dereddened colours of quasars as bright as those of DR5, with the noise of the survey."""
    rng = np.random.default_rng(5)
    z = rng.uniform(0.6, 4.4, 6000)
    i_mag = np.where(z < 3, 18.9, 19.6) + rng.normal(0, 0.4, len(z))
    parameters = seds.draw(rng, z, i_mag)
    flux = np.concatenate([
        filters.fluxes(seds.spectra(parameters.iloc[k : k + 500], z[k : k + 500], filters.WAVELENGTH))
        for k in range(0, len(z), 500)
    ])  # fmt: skip
    flux *= (10 ** (0.4 * (22.5 - i_mag)) / flux[:, 3])[:, None]
    error = np.hypot(PSF_NOISE, 0.012 * flux)
    magnitude, _ = filters.asinh_magnitude(flux + error * rng.standard_normal(flux.shape), error)
    return z, magnitude[:, :-1] - magnitude[:, 1:]


def binned(z: np.ndarray, colour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians and 1.4826 MAD [bins, 4] in the bins of DR5."""
    inside = [colour[np.abs(z - centre) < 0.1] for centre in DR5[:, 0]]
    median = np.array([np.median(part, axis=0) for part in inside])
    mad = [np.median(np.abs(part - m), axis=0) for part, m in zip(inside, median, strict=True)]
    return median, 1.4826 * np.array(mad)


def test_median_colours_follow_real_quasars(synthetic):
    median, _ = binned(*synthetic)
    difference = np.abs(median - DR5[:, 1:5])
    cosmic_noon = (DR5[:, 0] > 1) & (DR5[:, 0] < 2.6)
    assert np.sqrt(np.mean(difference[cosmic_noon] ** 2)) < 0.03
    worst = np.argwhere(difference > tolerance(DR5[:, 0]))
    assert not len(worst), [(DR5[z, 0], BANDS[c : c + 2], difference[z, c].round(2)) for z, c in worst]


def test_the_scatter_of_colours_is_that_of_real_quasars(synthetic):
    _, mad = binned(*synthetic)
    here = (DR5[:, 0] > 1) & (DR5[:, 0] < 2.6)
    ratio = mad[here] / DR5[here, 5:]
    assert np.all((ratio > 0.6) & (ratio < 1.5)), ratio.round(2)
    assert 0.85 < np.median(ratio) < 1.15


def test_median_colours_follow_the_real_catalogue_itself(sdss, synthetic):
    real = pd.read_csv(sdss / "catalog" / "dr5q.csv.gz")
    magnitudes = real[[f"psfMag_{band}" for band in BANDS]].to_numpy()
    good = (magnitudes > 0).all(axis=1)
    magnitudes = magnitudes - real[[f"extinction_{band}" for band in BANDS]].to_numpy()
    median, mad = binned(real["z"].to_numpy()[good], (magnitudes[:, :-1] - magnitudes[:, 1:])[good])
    assert np.abs(np.c_[median, mad] - DR5[:, 1:]).max() < 0.006  # the table above is this file, rounded
    assert np.all(np.abs(binned(*synthetic)[0] - median) <= tolerance(DR5[:, 0]) + 0.005)


def test_optical_depths_of_the_lyman_series():
    # By hand from Table 2 of Inoue et al. (2014): Ly-alpha and Ly-beta of the forest and of damped systems absorb
    # 4000 A towards z = 3; Ly-gamma (972.5 A, 3890 A at most) does not reach it, nor does the continuum.
    x, y = 4000 / 1215.67, 4000 / 1025.72
    expected = 2.35379e-3 * x**3.7 + 5.38995e-5 * x**3 + 6.53625e-4 * y**3.7 + 5.15129e-5 * y**3
    wavelength, z = np.array([4000.0, 4870.0]), np.array([3.0])
    assert igm.lines(wavelength, z)[0] == pytest.approx([expected, 0], rel=2e-4)
    assert np.all(igm.continuum(wavelength, z) == 0)
    # The other powers: x below 2.2 at z = 1, x above 5.7 at z = 5 (both Ly-alpha alone).
    low, high = 1215.67 * 1.9, 1215.67 * 5.9
    assert igm.lines(np.array([low]), np.array([1.0]))[0, 0] == pytest.approx(
        1.68976e-2 * 1.9**1.2 + 1.61698e-4 * 1.9**2, rel=1e-4
    )
    assert igm.lines(np.array([high]), np.array([5.0]))[0, 0] == pytest.approx(
        1.02611e-4 * 5.9**5.5 + 5.38995e-5 * 5.9**3, rel=1e-3
    )


def test_optical_depths_of_the_lyman_continuum():
    # Equations 26 + 29 at z = 3, 26 + 28 at z = 1.5, with the numbers of the paper.
    x = 3000 / 911.753
    forest = 2.55e-2 * (4**1.6 * x**2.1 - x**3.7)
    damped = 4.70e-2 * 4**3 - 1.78e-2 * 4**3.3 * x**-0.3 - 2.92e-2 * x**3
    assert igm.continuum(np.array([3000.0]), np.array([3.0]))[0, 0] == pytest.approx(forest + damped, rel=1e-4)
    x = 1900 / 911.753
    forest = 2.55e-2 * 2.5**1.6 * x**2.1 + 0.325 * x**1.2 - 0.250 * x**2.1
    damped = 0.211 * 2.5**2 - 7.66e-2 * 2.5**2.3 * x**-0.3 - 0.135 * x**2
    assert igm.continuum(np.array([1900.0]), np.array([1.5]))[0, 0] == pytest.approx(forest + damped, rel=1e-4)


@pytest.mark.parametrize("z", [0.9, 1.5, 3.0, 5.0])
def test_the_lyman_continuum_starts_at_zero_and_its_pieces_join(z):
    towards = np.array([z])
    depth = igm.continuum(igm.LYMAN_LIMIT * np.linspace(1.01, 1 + z, 400), towards)[0]
    assert depth[-1] == pytest.approx(0, abs=0.02)
    assert np.all(depth[:200] > 0.02)
    for piece in (2.2, 3.0, 5.7):
        below, above = igm.continuum(igm.LYMAN_LIMIT * piece * np.array([1 - 1e-9, 1 + 1e-9]), towards)[0]
        assert below == pytest.approx(above, abs=0.05)  # as the rounding of the paper leaves them


@pytest.mark.parametrize("z", [1.2, 2.0, 4.7])
def test_the_lyman_continuum_is_continuous_in_redshift(z):
    wavelength = igm.LYMAN_LIMIT * np.linspace(1.01, 0.99 * (1 + z), 50)
    before, after = igm.continuum(wavelength, z + np.array([-1e-6, 1e-6]))
    assert after == pytest.approx(before, abs=0.05)


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
