"""The stretch of images by a table: that of training, bit for bit."""

import numpy as np
import pytest
import torch

from crossz.apply import pixels
from crossz.models.data import image_source

NOISE = [0.8, 0.32, 0.5, 0.72, 2.7]
CPU = torch.device("cpu")


class Stored:
    def __init__(self, image, mask):
        self.image, self.mask = image, mask

    def gather(self, rows):
        return self.image[rows], self.mask[rows]


def images():
    """Every finite float16 in every band, and masks of some bands."""
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    every = np.where(np.isfinite(every), every, np.float16(0)).reshape(16, 1, 64, 64)
    mask = np.random.default_rng(0).integers(0, 32, (16, 64, 64)).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(every, (16, 5, 64, 64))), mask


@pytest.mark.parametrize("masked", [True, False])
def test_a_table_stretches_as_training_does_bit_for_bit(masked):
    image, mask = images()
    mask = mask * np.uint8(masked)
    fetch, _ = image_source(Stored(image, mask), np.arange(16), NOISE, CPU)
    wanted = fetch(torch.arange(16)).float()
    found = pixels.stretched(pixels.codes(image, mask, CPU), pixels.stretch_table(NOISE, CPU))
    assert found.dtype == torch.float32
    assert torch.equal(found, wanted)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert (found[:, 2][torch.from_numpy(mask >> 2 & 1).bool()] == 0).all()
