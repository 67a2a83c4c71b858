"""Cutouts: the five bands of a native stamp aligned on the r grid, 64 x 64 pixels."""

from pathlib import Path

import numpy as np

from crossz.core.constants import BANDS, CUTOUT_SIZE, OK
from crossz.core.files import digests, write_json
from crossz.images.arrow import read_arrays, to_nmgy, to_units, write_arrays

_R = BANDS.index("r")
_PAD = 8  # pixels around a stamp over which a Fourier window falls to zero


def aligned(image: np.ndarray, offset: np.ndarray, mask: np.ndarray, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Move each band of a stamp to the position of r.

    The r band is cut at whole pixels and never resampled: the object lies at 32 + offset[r] in both axes, in all bands.
    Rotation and scale between bands are below 0.05 px over a cutout and left alone.

    Parameters
    ----------
    image : array [5, 80, 80]
        nmgy, as in `stamps.Stamp`.
    offset : array [5, 2]
        (x, y) in pixels, as in `stamps.Stamp`.
    mask : array [80, 80] of uint8
        As in `stamps.Stamp`.
    method
        "integer" moves each band by the whole pixel that brings it nearest (within 0.5 px an axis). "fourier" shifts by
        the exact fraction with a phase ramp, and leaves noise white. "reproject" resamples with `reproject_interp`,
        bicubic.

    Returns
    -------
    image : array [5, 64, 64] of float32
        nmgy; 0 where masked.
    mask : array [64, 64] of uint8
        Bit b is set where any pixel is uncovered that the value of band b rests on within one pixel.
    """
    size = image.shape[-1]
    inner = slice((size - CUTOUT_SIZE) // 2, (size + CUTOUT_SIZE) // 2)
    covered = (mask[None] >> np.arange(len(BANDS))[:, None, None] & 1) == 0
    shift = offset[_R] - offset  # how far each band's content must move, pixels, |shift| < 1 an axis
    out = np.zeros((len(BANDS), CUTOUT_SIZE, CUTOUT_SIZE), np.float32)
    complete = np.zeros((len(BANDS), CUTOUT_SIZE, CUTOUT_SIZE), bool)
    for band in range(len(BANDS)):
        dx, dy = map(float, shift[band])
        if method == "integer" or (dx == 0 and dy == 0):
            dx, dy = float(np.rint(dx)), float(np.rint(dy))
            moved = np.roll(image[band], (int(dy), int(dx)), (0, 1))
        elif method == "fourier":
            moved = fourier_shift(_extended(image[band], covered[band]), dx, dy)[_PAD:-_PAD, _PAD:-_PAD]
        elif method == "reproject":
            moved = _reproject_shift(image[band], dx, dy)
        else:
            raise ValueError(f"align: {method!r} is none of integer, fourier, reproject")
        complete[band] = _all_covered(covered[band], dx, dy)[inner, inner]
        out[band] = np.where(complete[band], moved[inner, inner], 0)
    bits = (~complete).astype(np.uint8) << np.arange(len(BANDS), dtype=np.uint8)[:, None, None]
    return out, np.bitwise_or.reduce(bits)


def fourier_shift(image: np.ndarray, dx: float, dy: float) -> np.ndarray:
    """`image` with its content moved by (dx, dy) pixels, as if it were periodic and band-limited."""
    ky = np.fft.fftfreq(image.shape[0])[:, None]
    kx = np.fft.rfftfreq(image.shape[1])[None, :]
    phase = np.exp(-2j * np.pi * (kx * dx + ky * dy))
    return np.fft.irfft2(np.fft.rfft2(image) * phase, image.shape)


def _extended(image: np.ndarray, covered: np.ndarray) -> np.ndarray:
    # A phase ramp rings at every hard edge: repeat the outermost covered pixel outwards, falling to zero at the rim,
    # so that the periodic image is continuous.
    def nearest(has: np.ndarray) -> np.ndarray:
        """Numbers of the covered rows (or columns) that stand for each row of the extended image."""
        inside = np.flatnonzero(has)
        return np.clip(np.arange(-_PAD, len(has) + _PAD), inside[0], inside[-1]) if len(inside) else np.zeros(0, int)

    rows, columns = (nearest(np.logical_or.reduce(covered, axis)) for axis in (1, 0))
    if not len(rows):
        return np.zeros([length + 2 * _PAD for length in image.shape])
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_PAD) + 0.5) / _PAD)
    window = [np.concatenate([ramp, np.ones(length), ramp[::-1]]) for length in image.shape]
    return image[np.ix_(rows, columns)] * window[0][:, None] * window[1][None, :]


def _reproject_shift(image: np.ndarray, dx: float, dy: float) -> np.ndarray:
    from astropy.wcs import WCS  # these two take longer to import than most shards take to cut
    from reproject import reproject_interp

    def grid(x: float, y: float) -> WCS:
        """Pixels shifted by (x, y)."""
        wcs = WCS(naxis=2)
        wcs.wcs.crpix = [1 + x, 1 + y]
        return wcs

    moved, _ = reproject_interp((image, grid(0, 0)), grid(dx, dy), shape_out=image.shape, order="bicubic")
    return moved


def _all_covered(covered: np.ndarray, dx: float, dy: float) -> np.ndarray:
    for axis, shift in ((0, dy), (1, dx)):
        covered = np.roll(covered, int(np.floor(shift)), axis) & np.roll(covered, int(np.ceil(shift)), axis)
    return covered


def write_cutouts(*, stamps: str | Path, cutouts: str | Path, counts: str | Path, align: str) -> None:
    """Align the stamps of one shard; every object keeps its row and its status.

    Parameters
    ----------
    stamps
        What `images.stamps.write_stamps` wrote.
    cutouts, counts
        What is written: the cutout file, and the account of every object.
    align
        The method of `aligned`.
    """
    native = read_arrays(stamps)
    count = len(native["objID"])
    image = np.zeros((count, len(BANDS), CUTOUT_SIZE, CUTOUT_SIZE), np.float16)
    mask = np.zeros((count, CUTOUT_SIZE, CUTOUT_SIZE), np.uint8)
    clipped = 0
    for row in range(count):
        pixels, mask[row] = aligned(to_nmgy(native["image"][row]), native["offset"][row], native["mask"][row], align)
        image[row], lost = to_units(pixels)
        clipped += lost
    status = native["status"].tolist()
    write_arrays(cutouts, {"objID": native["objID"], "status": status, "image": image, "mask": mask})
    kinds = {kind: status.count(kind) for kind in sorted({OK, *status})}
    account = {"objects": count, "status": kinds, "clipped_pixels": clipped}
    write_json(counts, account | {"sha256": digests(cutouts)})
