"""Colours of a cutout, for people."""

import numpy as np

from crossz.core.constants import BANDS

_STRETCH, _SOFTENING = 0.5, 8.0  # nmgy per pixel, and Q
_COLOUR_BANDS = "irg"  # red, green, blue
NO_DATA = 0.5
"""Grey of pixels that no frame covers."""


def rgb(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Colours of an image: its bands i, r and g under an asinh stretch of their mean.

    The hue is that of the fluxes, also where a pixel is saturated. Pixels that no frame covers in one of the three
    bands are grey.

    Parameters
    ----------
    image
        Fluxes [5, 64, 64] in nmgy.
    mask
        Bits [64, 64] of the bands without data.

    Returns
    -------
    np.ndarray
        Red, green and blue [64, 64, 3], from 0 to 1.

    References
    ----------
    Lupton et al. (2004), PASP 116, 133, section 2.
    """
    bands = [BANDS.index(band) for band in _COLOUR_BANDS]
    flux = np.moveaxis(image[bands], 0, -1).astype(float)
    mean = np.maximum(flux.mean(-1, keepdims=True), 1e-9)
    bright = np.arcsinh(_SOFTENING * mean / _STRETCH) / np.arcsinh(_SOFTENING)
    colour = np.maximum(flux * bright / mean, 0)
    colour /= np.maximum(colour.max(-1, keepdims=True), 1)
    missing = (mask & sum(1 << band for band in bands)) != 0
    return np.where(missing[..., None], NO_DATA, colour)
