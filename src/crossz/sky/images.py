"""Pixels: the point spread function, sources, noise.

Fluxes are in nanomaggies, positions in 0-based pixels, images [rows, columns].
"""

from typing import NamedTuple

import numpy as np


class Detector(NamedTuple):
    """One band of the camera, as frame headers and HDUs describe it."""

    nmgy_per_dn: float
    gain: float  # electrons / DN
    dark_variance: float  # DN^2
    sky: float  # DN


DETECTORS = {
    "u": Detector(0.00936, 1.60, 9.6, 25.0),
    "g": Detector(0.00394, 3.90, 1.4, 95.0),
    "r": Detector(0.00504, 4.70, 1.0, 130.0),
    "i": Detector(0.00680, 4.90, 5.8, 185.0),
    "z": Detector(0.03790, 4.70, 1.0, 90.0),
}
"""Typical values of real frames (gain and dark variance: the data model of `frame`); with them the noise per pixel is
0.047, 0.020, 0.027, 0.045, 0.17 nmgy in ugriz."""
WING_SHARE, WING_RATIO = 0.10, 2.5
FWHM_ARCSEC = {"u": 1.44, "g": 1.36, "r": 1.28, "i": 1.24, "z": 1.26}
"""Median seeing by band; real PSFs have the same two Gaussians at their core (Lupton et al. 2001)."""


class Psf(NamedTuple):
    """Two concentric round Gaussians, [2] each; the weights sum to 1."""

    weight: np.ndarray
    sigma: np.ndarray

    @property
    def radius(self) -> int:
        """Pixels beyond which less than 1e-6 of the flux lies."""
        return int(np.ceil(5 * self.sigma[1]))


def psf(fwhm_pixels: float) -> Psf:
    """The PSF whose core Gaussian has this full width at half maximum."""
    core = fwhm_pixels / (2 * np.sqrt(2 * np.log(2)))
    return Psf(np.array([1 - WING_SHARE, WING_SHARE]), np.array([core, WING_RATIO * core]))


Window = tuple[slice, slice]
"""Rows and columns of an image."""


def window_at(shape: tuple[int, int], x: float, y: float, radius: int) -> Window:
    """The pixels of an image within `radius` of (x, y), in a square."""
    column, row = round(x), round(y)
    return (
        slice(max(row - radius, 0), max(min(row + radius + 1, shape[0]), 0)),
        slice(max(column - radius, 0), max(min(column + radius + 1, shape[1]), 0)),
    )


def point(psf: Psf, window: Window, x: float, y: float) -> np.ndarray:
    """The PSF at (x, y), sampled at the pixel centres of `window`."""
    return mixture(psf.weight, psf.sigma**2, window, x, y)


def mixture(weight: np.ndarray, variance: np.ndarray, window: Window, x: float, y: float) -> np.ndarray:
    """Concentric round Gaussians, as outer products of one-dimensional ones."""
    twice = 2 * variance[:, None]
    along_y = np.exp(-((np.arange(window[0].start, window[0].stop) - y) ** 2) / twice)
    along_x = np.exp(-((np.arange(window[1].start, window[1].stop) - x) ** 2) / twice)
    return (along_y * (weight / (np.pi * twice[:, 0]))[:, None]).T @ along_x


# An exponential disc as Gaussians, in half-light radii: Hogg & Lang (2013), PASP 125, 719, Table 1 (M = 6).
_EXP_WEIGHT = np.array([2.34853813e-3, 3.07995260e-2, 2.23364214e-1, 1.17949102, 4.33873750, 5.99820770])
_EXP_VARIANCE = np.array([1.20078965e-3, 8.84526493e-3, 3.91463084e-2, 1.39976817e-1, 4.60962500e-1, 1.50159566])
# A de Vaucouleurs profile that ends at 8 half-light radii, as SDSS models do: the same paper (M = 8).
_DEV_WEIGHT = np.array(
    [4.26347652e-2, 2.40127183e-1, 6.85907632e-1, 1.51937350, 2.83627243, 4.46467501, 5.72440830, 5.60989349]
)
_DEV_VARIANCE = np.array(
    [2.23759216e-4, 1.00220099e-3, 4.18731126e-3, 1.69432589e-2, 6.84850479e-2, 2.87207080e-1, 1.33320254, 8.40215071]
)


class Profile(NamedTuple):
    """A galaxy's light as concentric Gaussians: weights that sum to 1, variances (half-light radii^2), its extent."""

    weight: np.ndarray
    variance: np.ndarray
    reach: float  # half-light radii


EXPONENTIAL = Profile(_EXP_WEIGHT / _EXP_WEIGHT.sum(), _EXP_VARIANCE, 5)
DE_VAUCOULEURS = Profile(_DEV_WEIGHT / _DEV_WEIGHT.sum(), _DEV_VARIANCE, 8)


def disc(psf: Psf, window: Window, x: float, y: float, shape: np.ndarray, profile: Profile = EXPONENTIAL) -> np.ndarray:
    """A galaxy of unit flux seen through the PSF; `shape` = half-light radius (pixels), axis ratio, angle."""
    half_light, ratio, angle = shape
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    unit = half_light**2 * (np.outer(along, along) + ratio**2 * np.outer(across, across))
    dy = (np.arange(window[0].start, window[0].stop) - y)[:, None]
    dx = np.arange(window[1].start, window[1].stop) - x
    image = np.zeros((dy.shape[0], dx.shape[0]))
    for weight, variance in zip(profile.weight, profile.variance, strict=True):
        for share, sigma in zip(psf.weight, psf.sigma, strict=True):
            (xx, xy), (_, yy) = variance * unit + sigma**2 * np.eye(2)
            determinant = xx * yy - xy**2
            chi2 = (yy * dx**2 - 2 * xy * dx * dy + xx * dy**2) / determinant
            image += weight * share / (2 * np.pi * np.sqrt(determinant)) * np.exp(-0.5 * chi2)
    return image


def disc_window(
    image: np.ndarray, psf: Psf, x: float, y: float, half_light: float, reach: float = EXPONENTIAL.reach
) -> Window:
    """Where a galaxy has all but 0.3 % (de Vaucouleurs: 1 %) of its light."""
    return window_at(image.shape, x, y, int(np.ceil(np.hypot(reach * half_light, psf.radius))))


def expose(
    rng: np.random.Generator, model: np.ndarray, sky: np.ndarray, nmgy_per_dn: np.ndarray, detector: Detector
) -> np.ndarray:
    """Observe a scene.

    Photons of source and sky are Poisson in electrons, the dark noise is normal. The sum is read as whole DN, the sky
    is subtracted, the calibration applied, and 10 significant bits are kept.

    Parameters
    ----------
    rng
        The random generator.
    model : array [rows, columns]
        nmgy, above the sky.
    sky : array [rows, columns]
        DN.
    nmgy_per_dn : array [columns]
        Calibration.
    detector
        Of the band.

    Returns
    -------
    array [rows, columns] of float32
        nmgy, calibrated and sky-subtracted.
    """
    electrons = rng.poisson((model / nmgy_per_dn + sky) * detector.gain)
    dn = electrons / detector.gain
    dn += np.float32(np.sqrt(detector.dark_variance)) * rng.standard_normal(model.shape, dtype=np.float32)
    return ten_bits(((np.rint(dn) - sky) * nmgy_per_dn).astype(np.float32))


def ten_bits(image: np.ndarray) -> np.ndarray:
    """float32 values rounded to 10 significant bits, as FLOATCOMPRESS leaves them in real frames."""
    bits = image.view(np.uint32)
    return ((bits + np.uint32(1 << 13)) & np.uint32(0xFFFFC000)).view(np.float32)


def variance(model: np.ndarray, sky: np.ndarray, nmgy_per_dn: np.ndarray, detector: Detector) -> np.ndarray:
    """Variance of a pixel of `expose`, nmgy^2; the last term is the reading of whole DN."""
    dn = (model / nmgy_per_dn + sky) / detector.gain + detector.dark_variance + 1 / 12
    return dn * nmgy_per_dn**2
