"""What an image holds that is no source: charge that overflows, cosmic rays left over, trails of satellites."""

import numpy as np

from crossz.sky.images import Detector, Psf

FULL_WELL = 350_000.0
"""Electrons that a pixel holds; more of them flow along its column."""
BRIGHT_STARS = 0.06
"""Stars of r = 11 to 14 per square arcminute: those that saturate."""
COSMIC_RAYS = 4.0
"""Left over on a frame of a million pixels."""
TRAILS = 0.01
"""Share of the frames that a satellite or meteor crosses."""


def bleed(electrons: np.ndarray) -> None:
    """Let the charge beyond FULL_WELL flow along its column, half of it each way, in place."""
    full = electrons > FULL_WELL
    for column in np.flatnonzero(full.any(axis=0)).tolist():
        line = electrons[:, column]
        excess = np.where(full[:, column], line - FULL_WELL, 0)
        line -= excess
        for direction in (1, -1):
            _flow(line[::direction], 0.5 * excess[::direction])


def _flow(line: np.ndarray, excess: np.ndarray) -> None:
    """Fill `line` up with `excess`, each pixel's from there on; what reaches the end is lost."""
    carried = 0.0
    for row in range(int(np.argmax(excess > 0)), len(line)):
        carried += excess[row]
        taken = min(carried, max(FULL_WELL - line[row], 0.0))
        line[row] += taken
        carried -= taken
        if carried <= 0 and not excess[row + 1 :].any():
            return


def cosmic_rays(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and electrons of the pixels of tracks that no rejection found: 2 to 6 pixels long."""
    pixels: list[np.ndarray] = [np.zeros((3, 0))]
    for _ in range(rng.poisson(COSMIC_RAYS * shape[0] * shape[1] / 1e6)):
        length, angle = rng.integers(2, 7), rng.uniform(0, np.pi)
        start = rng.uniform([0, 0], shape)
        track = start + np.arange(length)[:, None] * [np.sin(angle), np.cos(angle)]
        track = track[np.all((track >= 0) & (track < shape), axis=1)]
        electrons = np.exp(rng.normal(np.log(900), 0.7)) * rng.uniform(0.5, 1.5, len(track))
        pixels.append(np.concatenate([track.T, electrons[None]]))
    row, column, electrons = np.concatenate(pixels, axis=1)
    return row.astype(int), column.astype(int), electrons


def trail(rng: np.random.Generator, shape: tuple[int, int], psf: Psf, noise: float) -> np.ndarray:
    """nmgy of a straight trail through an image of `shape`, as wide as the PSF, 3 to 30 times the noise of a pixel high."""
    angle, height = rng.uniform(0, np.pi), noise * 10 ** rng.uniform(0.5, 1.5)
    row0, column0 = rng.uniform(0.2, 0.8, 2) * shape
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    distance = (rows - row0) * np.cos(angle) - (columns - column0) * np.sin(angle)
    return height * np.exp(-0.5 * (distance / psf.sigma[0]) ** 2)


def stars(rng: np.random.Generator, n: int) -> np.ndarray:
    """r magnitudes of n stars that saturate."""
    return 14 - 3 * rng.power(2, n)[::-1] if n else np.zeros(0)


def add(
    rng: np.random.Generator,
    scene: np.ndarray,
    detector: Detector,
    nmgy_per_dn: np.ndarray,
    psf: Psf,
    fields: list[slice],
) -> None:
    """Spoil the scene [rows, columns] (nmgy above the sky) of a strip with these `fields`, in place."""
    noise = float(np.sqrt(detector.sky / detector.gain + detector.dark_variance)) * detector.nmgy_per_dn
    for field in fields:
        if rng.random() < TRAILS:
            part = scene[field]
            part += trail(rng, part.shape, psf, noise)
    per_electron = nmgy_per_dn / detector.gain
    rows, columns, electrons = cosmic_rays(rng, scene.shape)
    np.add.at(scene, (rows, columns), electrons * per_electron[columns])
    if scene.max() > FULL_WELL * per_electron.min():
        scene /= per_electron
        bleed(scene)
        scene *= per_electron
