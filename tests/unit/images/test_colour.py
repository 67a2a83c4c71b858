"""Colours of a cutout."""

import numpy as np

from crossz.core.constants import BANDS
from crossz.images.colour import rgb


def test_colours_of_an_image():
    image = np.zeros((5, 64, 64), np.float32)
    mask = np.zeros((64, 64), np.uint8)
    image[BANDS.index("i"), 32, 32] = image[BANDS.index("u"), 10, 10] = 1e4
    image[1:4, 40, 40] = 0.2
    image[:, 5, 5] = -1
    mask[0, 0], mask[1, 1] = 1 << BANDS.index("r"), 1 << BANDS.index("z")
    colour = rgb(image, mask)
    assert colour.min() >= 0
    assert colour.max() <= 1
    assert list(colour[32, 32]) == [1, 0, 0]  # saturated, and still red
    assert len(set(colour[40, 40])) == 1
    assert not colour[10, 10].any()
    assert not colour[5, 5].any()
    assert list(colour[0, 0]) == [0.5] * 3
    assert not colour[1, 1].any()
