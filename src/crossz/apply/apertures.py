"""What images say without a network: the flux around their middle in each band, and its noise."""

import numpy as np

from crossz.core.constants import BANDS, CUTOUT_SIZE
from crossz.images.arrow import UNITS_PER_NMGY

RADIUS = 5.0
"""Of the aperture, pixels: 2 arcsec."""
SHARE = 0.93
"""Of a point source's light in the aperture: the median of 1,264 SDSS quasars, 0.927 to 0.939 in each band."""
_AXIS = np.arange(CUTOUT_SIZE) - (CUTOUT_SIZE - 1) / 2
_ROWS, _COLUMNS = np.nonzero(np.hypot(_AXIS[:, None], _AXIS) < RADIUS)
PIXELS = len(_ROWS)
"""How many pixels it has."""


def aperture_flux(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Flux within RADIUS of the middle of images.

    Parameters
    ----------
    image, mask
        What `ImageStore.gather` gives: [n, 5, 64, 64] float16 in 1/16 nmgy, and [n, 64, 64] uint8.

    Returns
    -------
    np.ndarray
        [n, 5] nmgy; NaN of a band that no frame covers in the whole aperture.
    """
    flux = image[:, :, _ROWS, _COLUMNS].sum(2, dtype=np.float64) / UNITS_PER_NMGY
    hidden = mask[:, _ROWS, _COLUMNS, None] >> np.arange(len(BANDS), dtype=np.uint8) & 1
    return np.where(hidden.any(1), np.nan, flux)


def aperture_noise(sky_noise: np.ndarray) -> np.ndarray:
    """Standard deviation [5] of `aperture_flux` over empty sky, nmgy, of `sky_noise` [5] a pixel in 1/16 nmgy."""
    return np.asarray(sky_noise) / UNITS_PER_NMGY * np.sqrt(PIXELS)
