"""What a pipeline measures in an image: PSF fluxes, centroids and model fluxes, with or without the light of neighbours.

Fluxes are in nanomaggies, positions in 0-based pixels of a strip.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, eye_array
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from crossz.sky import images
from crossz.sky.scene import ARCSEC, Scene

FAINTEST = 22.3
"""r magnitude of the faintest neighbour that the pipeline knows."""
_RESOLVED = 0.9  # FWHM: a neighbour nearer than this to a brighter source is not seen beside it
_NEAR = 20.0  # pixels within which a neighbour's light is taken away
_SIZES = np.array([0.0, 0.15, 0.3, 0.5, 0.8, 1.2, 1.8, 2.7])
"""Half-light radii, arcsec, of the exponential profiles that a model fit tries; 0 is the PSF."""
_FAR = 1.0  # pixels: a centroid farther off than this, or of less than 4 sigma, is not believed
_LEAST_SN = 4.0
_CHILD, _BLENDED, _CLOSE = 0x10, 0x8, 0x400000000000  # flags CHILD, BLENDED, DEBLEND_NOPEAK


class Measurement(NamedTuple):
    """Of n targets in one band.

    Attributes
    ----------
    flux, error : array [n]
        Of a fit of the PSF; the error is that of photons alone.
    shift : array [n, 2]
        x, y of the centroid minus the true ones.
    model : array [n]
        Flux of the model whose size fits r best.
    size : array [n] of int
        Which of the sizes that is.
    """

    flux: np.ndarray
    error: np.ndarray
    shift: np.ndarray
    model: np.ndarray
    size: np.ndarray


class Neighbours(NamedTuple):
    """The other sources whose light the pipeline takes away from each target.

    Attributes
    ----------
    known : array [k] of int
        Sources of which the pipeline knows, targets first.
    pairs : array [p, 2] of int
        Two of `known` near each other, each pair in both orders.
    """

    known: np.ndarray
    pairs: np.ndarray


def neighbours(scene: Scene, targets: np.ndarray) -> Neighbours:
    """What the pipeline knows near its targets, from the r band: everything bright and resolved but hosts."""
    r = 22.5 - 2.5 * np.log10(np.maximum(scene.flux, 1e-9))
    bright = r < FAINTEST
    bright[scene.galaxy0 :] &= scene.host_of < 0
    bright[targets] = False
    tree = cKDTree(scene.xy)
    fwhm = scene.psf.sigma[0] * 2 * np.sqrt(2 * np.log(2))
    close = tree.query_pairs(_RESOLVED * fwhm, output_type="ndarray")
    fainter = np.where(scene.flux[close[:, 0]] < scene.flux[close[:, 1]], close[:, 0], close[:, 1])
    bright[fainter] = False
    places = cKDTree(scene.xy[targets])
    others = np.flatnonzero(bright)
    near = np.isfinite(places.query(scene.xy[others], distance_upper_bound=_NEAR)[0])
    known = np.concatenate([targets, others[near]])
    pairs = cKDTree(scene.xy[known]).query_pairs(_NEAR, output_type="ndarray")
    return Neighbours(known, np.concatenate([pairs, pairs[:, ::-1]]))


def overlap(psf: images.Psf, distance: np.ndarray) -> np.ndarray:
    """What a PSF fit makes of unit flux at `distance` pixels, of a source that is as wide as the PSF."""
    variance = psf.sigma[:, None] ** 2 + psf.sigma**2
    weight = np.outer(psf.weight, psf.weight) / variance
    value = np.exp(-0.5 * distance[:, None, None] ** 2 / variance) * weight
    return value.sum(axis=(1, 2)) / weight.sum()


def deblended(scene: Scene, image: np.ndarray, beside: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """Fluxes [k] of the known sources, all as points: fitted one by one, and all at once."""
    alone = np.empty(len(beside.known))
    for index, source in enumerate(beside.known.tolist()):
        x, y = scene.xy[source].tolist()
        window = images.window_at(image.shape, x, y, scene.psf.radius)
        p = images.point(scene.psf, window, x, y)
        alone[index] = np.sum(p * image[window]) / np.sum(p * p)
    one, other = beside.pairs.T
    distance = np.linalg.norm(scene.xy[beside.known[one]] - scene.xy[beside.known[other]], axis=1)
    matrix = coo_array((overlap(scene.psf, distance), (one, other)), shape=(len(alone), len(alone)))
    return alone, spsolve((matrix + eye_array(len(alone))).tocsc(), alone)


def without_neighbours(
    scene: Scene,
    image: np.ndarray,
    model: np.ndarray,
    targets: np.ndarray,
    beside: Neighbours | None,
    fluxes: np.ndarray | None,
) -> list[np.ndarray]:
    """Pixels of each target in the window of its PSF, without other sources.

    With `beside` and its `fluxes` (of `deblended`), known neighbours are subtracted as points, and unknown ones stay. Without, everything but the target is subtracted as it truly is, which leaves the noise.
    """
    pixels = []
    residual = image - model
    if beside is not None:
        of: dict[int, list[int]] = {}
        for one, other in beside.pairs[beside.pairs[:, 0] < len(targets)].tolist():
            of.setdefault(one, []).append(other)
    for index, target in enumerate(targets.tolist()):
        x, y = scene.xy[target].tolist()
        window = images.window_at(image.shape, x, y, scene.psf.radius)
        if beside is None or fluxes is None:
            pixels.append(residual[window] + scene.whole(target, window))
            continue
        own = image[window].copy()
        for other in of.get(index, ()):
            own -= fluxes[other] * images.point(scene.psf, window, *scene.xy[beside.known[other]].tolist())
        pixels.append(own)
    return pixels


def measure(
    scene: Scene,
    image: np.ndarray,
    pixels: list[np.ndarray],
    variance: np.ndarray,
    targets: np.ndarray,
    size: np.ndarray | None,
) -> Measurement:
    """Measure targets.

    Parameters
    ----------
    scene
        Where they are, and the PSF that the pipeline believes in.
    image
        Its shape is read.
    pixels
        Of each target, from `without_neighbours`.
    variance : array [rows, columns]
        nmgy^2.
    targets : array [n] of int
    size : array [n] of int
        Which size the models have; None: this band, which is r, finds them.
    """
    n = len(targets)
    zero = np.zeros(n)
    sizes = np.zeros(n, int) if size is None else size
    result = Measurement(zero, zero.copy(), np.zeros((n, 2)), zero.copy(), sizes)
    models = [_model(scene.psf, radius / ARCSEC) for radius in _SIZES]
    for index, target in enumerate(targets.tolist()):
        x, y = scene.xy[target].tolist()
        window = images.window_at(image.shape, x, y, scene.psf.radius)
        data = pixels[index]
        p = images.point(scene.psf, window, x, y)
        norm = np.sum(p * p)
        flux = result.flux[index] = np.sum(p * data) / norm
        error = result.error[index] = np.sqrt(np.sum(p * p * variance[window])) / norm
        if flux > _LEAST_SN * error:
            result.shift[index] = _centroid(scene.psf, window, x, y, p=p, rest=data - flux * p, flux=flux)
        if size is None:
            result.size[index] = _best(models, window, x, y, data)
        weight, width = models[result.size[index]]
        p = images.mixture(weight, width, window, x, y)
        result.model[index] = np.sum(p * data) / np.sum(p * p)
    return result


def _centroid(
    psf: images.Psf, window: images.Window, x: float, y: float, *, p: np.ndarray, rest: np.ndarray, flux: float
) -> np.ndarray:
    """x, y of a source minus those assumed: one step of a least squares fit."""
    step = 0.25
    slopes = [(images.point(psf, window, x + dx, y + dy) - p) / step for dx, dy in ((step, 0), (0, step))]
    shift = np.array([np.sum(slope * rest) / np.sum(slope * slope) for slope in slopes]) / flux
    return shift if np.abs(shift).max() < _FAR else np.zeros(2)


def _model(psf: images.Psf, half_light: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights and variances of the round exponential disc of this half-light radius in pixels, seen through the PSF."""
    if half_light == 0:
        return psf.weight, psf.sigma**2
    profile = images.EXPONENTIAL
    weight = np.outer(profile.weight, psf.weight).ravel()
    return weight, np.add.outer(half_light**2 * profile.variance, psf.sigma**2).ravel()


def _best(
    models: list[tuple[np.ndarray, np.ndarray]], window: images.Window, x: float, y: float, data: np.ndarray
) -> int:
    """The model with the least squares, from small to large until it gets worse."""
    before, best = -np.inf, 0
    for number, (weight, variance) in enumerate(models):
        p = images.mixture(weight, variance, window, x, y)
        amplitude = np.sum(p * data)
        gain = amplitude * abs(amplitude) / np.sum(p * p)
        if gain <= before:
            break
        before, best = gain, number
    return best


def flags(beside: Neighbours, alone: np.ndarray, flux: np.ndarray, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """What the pipeline says of deblending in r.

    Parameters
    ----------
    beside
        Whom it knows.
    alone, flux : array [k]
        As `deblended` gives them.
    targets
        How many of them are targets, t.

    Returns
    -------
    flags : array [t] of int
        BLENDED and CHILD beside a known neighbour; DEBLEND_NOPEAK too where most of the flux was taken for the neighbour's.
    clean : array [t] of bool
        Whether it was not.
    """
    near = np.isin(np.arange(targets), beside.pairs[:, 0])
    clean = flux[:targets] > 0.5 * np.abs(alone[:targets])
    return near * (_CHILD | _BLENDED) | ~clean * _CLOSE, clean
