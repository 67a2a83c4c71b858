"""Host galaxies of real quasars and of those of the sky: by how much a model fit holds more light than a PSF fit.

DR5Q has PSF magnitudes, the other catalog has model magnitudes without positions. Its quasars that are in DR5Q, too, are
found by redshift and colours; a shift in redshift tells how many pairs are there by chance.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from crossz.core.constants import BANDS
from crossz.sky import filters, hosts, images, photometry, seds
from crossz.sky.scene import Scene

BINS = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.7), (0.7, 1.0), (1.0, 2.0)]
SHIFTS = (-0.04, -0.03, -0.02, -0.01, 0.01, 0.02, 0.03, 0.04)
APART = 40  # pixels between the quasars of a scene


@pytest.fixture(scope="module")
def dr5q(sdss):
    rows = pd.read_csv(sdss / "catalog/dr5q.csv.gz")
    return rows[(rows["z"] > 0.1) & (rows["z"] < 2.1) & (rows[[f"psfMag_{band}" for band in BANDS]] > 0).all(axis=1)]


@pytest.fixture(scope="module")
def real(sdss, dr5q):
    """Median psfMag_r - modelMag_r in each of BINS."""
    others = pd.read_csv(sdss / "catalog/galaxies_and_quasars.csv.gz")
    others = others[(others["spec_class"] == "QSO") & others["redshift"].between(0.1, 2)]
    psf, z = dr5q[[f"psfMag_{band}" for band in BANDS]].to_numpy(), dr5q["z"].to_numpy()
    model, at = others[list(BANDS)].to_numpy(), others["redshift"].to_numpy()
    order = np.argsort(z)

    def pairs(shift):
        low, high = (np.searchsorted(z[order], at + shift + side) for side in (-0.002, 0.002))
        one = np.repeat(np.arange(len(at)), high - low)
        other = order[np.concatenate([np.arange(*ends) for ends in zip(low, high, strict=True)])]
        more = psf[other] - model[one]
        slope = more @ np.arange(-2, 3) / 10
        rest = more - more.mean(axis=1)[:, None] - slope[:, None] * np.arange(-2, 3)
        good = (np.abs(rest).max(axis=1) < 0.02) & (slope > -0.03) & (slope < 0.08)
        return at[one][good], more[good, BANDS.index("r")]

    def counted(found):
        return np.array([np.histogram(found[1][(found[0] >= low) & (found[0] < high)], grid)[0] for low, high in BINS])

    grid = np.arange(-0.1, 0.6, 0.005)
    net = counted(pairs(0)) - np.mean([counted(pairs(shift)) for shift in SHIFTS], axis=0)
    assert net.sum(axis=1).min() > 20
    share = np.cumsum(net, axis=1) / net.sum(axis=1)[:, None]
    return grid[:-1][np.argmax(share >= 0.5, axis=1)] + 0.0025


@pytest.fixture(scope="module")
def sky(dr5q):
    """Mean psfMag_r - modelMag_r in each of BINS, of quasars of the sky with redshifts and magnitudes as in DR5Q."""
    rng = np.random.default_rng(1)
    z, i_mag = rng.uniform(0.25, 1.0, 2500), 21 - 5 * rng.power(2, 2500)
    light = filters.fluxes(seds.spectra(seds.draw(rng, z, i_mag), z, filters.WAVELENGTH))
    light *= (10 ** (0.4 * (22.5 - i_mag)) / light[:, BANDS.index("i")])[:, None]
    quasars = pd.DataFrame(light, columns=[f"flux_{band}" for band in BANDS]).assign(z=z)
    flux, shapes, of = hosts.hosts(rng, quasars)
    wide = int(np.ceil(np.sqrt(len(z))))
    xy = np.stack(np.divmod(np.arange(len(z)), wide), axis=1) * APART + APART / 2.0
    fits, size = {}, None
    for band in "ri":
        b, psf = BANDS.index(band), images.psf(images.FWHM_ARCSEC[band] / 0.396)
        bright = np.concatenate([light[:, b], flux[:, b]])
        scene = Scene(psf, np.concatenate([xy, xy[of]]), bright, np.ones(len(bright)), shapes, of)
        image = scene.render((wide * APART, wide * APART))
        pixels = photometry.without_neighbours(scene, image, image, np.arange(len(z)), None, None)
        fits[band] = photometry.measure(scene, image, pixels, np.ones(image.shape), np.arange(len(z)), size)
        size = fits[band].size
    seen = 22.5 - 2.5 * np.log10(fits["i"].flux)
    wanted = np.stack([dr5q["z"], (dr5q["psfMag_i"] - dr5q["extinction_i"]) / 5], axis=1)[(dr5q["z"] < 1).to_numpy()]
    near = cKDTree(np.stack([z, seen / 5], axis=1)).query(wanted)[1]
    more = 2.5 * np.log10(fits["r"].model / fits["r"].flux)[near]
    return np.array([more[(wanted[:, 0] >= low) & (wanted[:, 0] < high)].mean() for low, high in BINS[:-1]])


def test_hosts_of_the_sky_are_seen_as_much_as_those_of_real_quasars(real, sky):
    assert abs(real[-1]) < 0.02  # no hosts there
    shown = real[:-1] - real[-1]
    assert (np.diff(shown) < 0).all()
    assert (np.diff(sky) < 0).all()
    assert np.abs(sky - shown).max() < 0.04
    assert sky[:3] / shown[:3] == pytest.approx(1, abs=0.5)
