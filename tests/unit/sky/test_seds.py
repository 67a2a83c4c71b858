"""Colours of the synthetic quasars against those of real ones."""

import numpy as np
import pandas as pd
import pytest

from crossz.core.constants import BANDS
from crossz.sdss.magnitudes import asinh_magnitude
from crossz.sky import filters, seds

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
    magnitude, _ = asinh_magnitude(flux + error * rng.standard_normal(flux.shape), error)
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


def test_median_colours_follow_the_real_catalog_itself(sdss, synthetic):
    real = pd.read_csv(sdss / "catalog" / "dr5q.csv.gz")
    magnitudes = real[[f"psfMag_{band}" for band in BANDS]].to_numpy()
    good = (magnitudes > 0).all(axis=1)
    magnitudes = magnitudes - real[[f"extinction_{band}" for band in BANDS]].to_numpy()
    median, mad = binned(real["z"].to_numpy()[good], (magnitudes[:, :-1] - magnitudes[:, 1:])[good])
    assert np.abs(np.c_[median, mad] - DR5[:, 1:]).max() < 0.006  # the table above is this file, rounded
    assert np.all(np.abs(binned(*synthetic)[0] - median) <= tolerance(DR5[:, 0]) + 0.005)
