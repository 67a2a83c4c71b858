"""What a pipeline measures."""

import numpy as np
import pytest
from toy_scene import points

from crossz.sky import images, photometry

PSF = images.psf(3.3)
NOISE = 0.03


def measured(scene, image, beside=None, targets=None):
    targets = np.arange(len(scene.flux)) if targets is None else targets
    fluxes = None if beside is None else photometry.deblended(scene, image, beside)[1]
    model = scene.render(image.shape)
    pixels = photometry.without_neighbours(scene, image, model, targets, beside, fluxes)
    return photometry.measure(scene, image, pixels, np.full(image.shape, NOISE**2), targets, None)


def test_fluxes_centroids_and_models_have_the_noise_that_they_should():
    rng = np.random.default_rng(4)
    xy = np.stack(np.meshgrid(np.arange(40.3, 870, 40), np.arange(40.7, 870, 40)), axis=-1).reshape(-1, 2)
    scene = points(PSF, xy, np.full(len(xy), 5.0))
    image = scene.render((900, 900)) + rng.normal(0, NOISE, (900, 900))
    got = measured(scene, image)
    chi = (got.flux - 5) / got.error
    assert chi.std() == pytest.approx(1, abs=0.1)
    assert abs(chi.mean()) < 0.15
    expected = (
        NOISE / 5 / np.sqrt(np.sum(np.diff(images.point(PSF, (slice(0, 41), slice(0, 41)), 20, 20), axis=1) ** 2))
    )
    assert got.shift.std() == pytest.approx(expected, rel=0.15)
    assert np.abs(got.shift.mean(axis=0)).max() < 5 * expected / np.sqrt(len(xy))
    assert 0.3 < np.mean(got.size == 0) < 0.95  # a point is a point, as far as the noise lets one know
    assert np.median(got.model) == pytest.approx(5, rel=0.01)
    assert np.std(got.model) > np.std(got.flux)


def test_a_known_neighbour_is_taken_away_and_an_unknown_one_stays():
    places = [[40, 40], [46, 40], [90, 40], [92.5, 40], [140, 40], [146, 40]]
    faint = 10 ** (0.4 * (22.5 - photometry.FAINTEST)) * 0.8
    scene = points(PSF, places, [10.0, 8.0, 10.0, 4.0, 10.0, faint])
    targets = np.array([0, 2, 4])
    beside = photometry.neighbours(scene, targets)
    assert beside.known.tolist() == [0, 2, 4, 1]  # 3 is not resolved, 5 too faint
    image = scene.render((80, 180))
    ideal = measured(scene, image, targets=targets)
    assert ideal.flux == pytest.approx([10, 10, 10], rel=1e-6)
    got = measured(scene, image, beside, targets)
    assert got.flux[0] == pytest.approx(10, rel=0.01)
    assert got.flux[1] > 11.5
    assert 10.01 < got.flux[2] < 10.6
    flags, clean = photometry.flags(beside, *photometry.deblended(scene, image, beside), 3)
    assert (flags & 0x8 > 0).tolist() == [True, False, False]
    assert clean.all()


def test_a_faint_source_in_the_light_of_a_bright_one_is_not_clean():
    scene = points(PSF, [[40, 40], [43.2, 40]], [2.0, 60.0])
    beside = photometry.neighbours(scene, np.array([0]))
    _, clean = photometry.flags(beside, *photometry.deblended(scene, scene.render((80, 80)), beside), 1)
    assert not clean[0]


def test_a_centroid_moves_with_the_light():
    scene = points(PSF, [[40.2, 39.6]], [10.0])
    image = scene._replace(xy=np.array([[40.27, 39.55]])).render((80, 80))
    got = photometry.measure(scene, image, [image[photometry.images.window_at(image.shape, 40.2, 39.6, PSF.radius)]],
                             np.full(image.shape, NOISE**2), np.array([0]), None)  # fmt: skip
    assert got.shift[0] == pytest.approx([0.07, -0.05], abs=0.01)
