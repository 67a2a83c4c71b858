"""Sources in pixels."""

import numpy as np
import pytest
from toy_scene import points

from crossz.sky import images


@pytest.mark.parametrize(("x", "y"), [(60.0, 60.0), (60.31, 59.48), (59.5, 60.5)])
def test_a_point_source_has_its_flux_and_centroid(x, y):
    image = points(images.psf(3.3), [[x, y]], [7.0]).render((121, 121))
    rows, columns = np.mgrid[:121, :121]
    assert image.sum() == pytest.approx(7.0, rel=1e-5)
    assert (image * columns).sum() / image.sum() == pytest.approx(x, abs=1e-4)
    assert (image * rows).sum() / image.sum() == pytest.approx(y, abs=1e-4)
    half = np.hypot(columns - x, rows - y) < 3.3 / 2 * 1.02
    assert image[half].min() >= 0.45 * image.max()  # FWHM 3.3: at half of it, half the core is left


def test_a_point_source_off_the_edge_is_cut_and_does_not_wrap():
    image = points(images.psf(3.3), [[-0.5, 20.0], [-80.0, 20.0], [20.0, 90.0]], [10.0] * 3).render((40, 50))
    assert image.sum() == pytest.approx(5.0, rel=0.02)
    assert image[:, 30:].sum() == 0


def test_a_host_is_a_light_of_its_own_and_part_of_its_quasar():
    shape = np.array([[0.8, 0.7, 0.3, 0]])
    both = points(images.psf(3.3), [[30.2, 30.4], [30.2, 30.4]], [10.0, 4.0])
    both = both._replace(shapes=shape, host_of=np.array([0]))
    window = (slice(0, 61), slice(0, 61))
    assert both.light(0, window).sum() == pytest.approx(10, rel=1e-3)
    assert both.whole(0, window).sum() == pytest.approx(14, rel=0.01)
    assert both.whole(0, window) == pytest.approx(both.render((61, 61)), abs=1e-3)


def test_a_stretched_psf_keeps_the_flux_and_is_wider():
    narrow = points(images.psf(3.3), [[30, 30]], [10.0]).render((61, 61))
    wide = points(images.psf(3.3), [[30, 30]], [10.0])._replace(stretch=np.array([1.03])).render((61, 61))
    assert wide.sum() == pytest.approx(narrow.sum(), rel=1e-4)
    assert wide.max() / narrow.max() == pytest.approx(1.03**-2, rel=1e-3)
