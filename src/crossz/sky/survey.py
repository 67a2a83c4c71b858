"""One strip from nothing: its sources, images, frames, and its rows of the catalogue and of the truth."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from crossz import BANDS
from crossz.sky import catalogue, filters, frames, geometry, images, population

_KINDS = {"population": 10, "seeing": 11, "noise": 12, "catalogue": 13}
_EDGE = ((6.0, 6.0), (14.0, 24.0))
"""Least distance of a quasar's r position from the lower and the upper edges (columns, rows) of its strip, pixels:
the largest offset of another band, and a little."""
_APART = 12.0  # pixels: no two quasars within 4.7 arcsec, so that groups by position are one quasar each
_MARGIN = 30.0  # pixels around the strip in which neighbours may lie whose wings reach into it


class Sources(NamedTuple):
    """Everything that shines on one strip, quasars first, then stars, then galaxies; n sources."""

    quasars: pd.DataFrame
    shapes: np.ndarray  # [galaxies, 3]
    flux: np.ndarray  # [n, 5] nmgy, below the Galactic dust
    ebv: np.ndarray  # [n]
    sky: np.ndarray  # [n, 2] degrees
    field: np.ndarray  # [n] primary field, from 0
    pixels: np.ndarray  # [n, 5, 2] x, y in the primary field's frame of each band

    @property
    def galaxy0(self) -> int:
        """Index of the first galaxy."""
        return len(self.flux) - len(self.shapes)


def observe(strip: geometry.Strip, sas: Path, seed: int, absent: tuple[int, str] | None) -> catalogue.Rows:
    """Make one strip: write its frames under `sas`, all but the `absent` (field, band), and return its rows."""
    tangents = geometry.tangents(strip, seed)
    sources = _populate(strip, tangents, seed)
    rng = _rng(seed, "catalogue", strip)
    targets = catalogue.choose_targets(rng, sources, strip)
    psf_flux = np.empty((len(targets), len(BANDS)))
    psf_error = np.empty_like(psf_flux)
    seeing = _rng(seed, "seeing", strip).normal(0, 0.06, 1 + len(BANDS))
    fwhm = np.array([images.FWHM_ARCSEC[b] * np.exp(seeing[0] + 0.3 * s) / 0.396 for b, s in zip(BANDS, seeing[1:], strict=True)])
    for b, band in enumerate(BANDS):
        psf = images.psf(fwhm[b])
        xy = sources.pixels[:, b] + np.stack([np.zeros(len(sources.field)), sources.field * strip.step], axis=1)
        true = _expose_band(strip, sas, seed, b, psf, xy, sources, tangents, absent, targets)
        psf_flux[:, b], psf_error[:, b] = true
    return catalogue.rows(rng, strip, tangents, sources, targets, psf_flux, psf_error, fwhm)


def _rng(seed: int, kind: str, strip: geometry.Strip, *more: int) -> np.random.Generator:
    return np.random.default_rng([seed, _KINDS[kind], strip.number, *more])


def _populate(strip: geometry.Strip, tangents: list[list[geometry.Tangent]], seed: int) -> Sources:
    rng = _rng(seed, "population", strip)
    quasars = population.quasars(rng, strip.quasars)
    size = np.array([strip.columns, strip.length])
    places = [population.apart(rng, strip.quasars, _EDGE[0], size - _EDGE[1], _APART)]
    area = np.prod(size + 2 * _MARGIN) * (geometry.PIXEL * 60) ** 2  # square arcminutes
    stars = population.stars(rng, rng.poisson(population.STAR_DENSITY * area))
    galaxies, shapes = population.galaxies(rng, rng.poisson(population.GALAXY_DENSITY * area))
    places += [rng.uniform(-_MARGIN, size + _MARGIN, (len(fluxes), 2)) for fluxes in (stars, galaxies)]
    xy = np.concatenate(places)
    field = geometry.primary_field(strip, xy[:, 1])
    sky, pixels = geometry.in_every_band(tangents, field, xy - np.stack([np.zeros(len(xy)), field * strip.step], axis=1))
    ebv = geometry.dust(sky[:, 0], sky[:, 1], seed)
    flux = np.concatenate([quasars[[f"flux_{band}" for band in BANDS]].to_numpy(), stars, galaxies])
    flux = flux * 10 ** (-0.4 * ebv[:, None] * filters.EXTINCTION)
    return Sources(quasars, shapes, flux, ebv, sky, field, pixels)


def _expose_band(strip, sas, seed, b, psf, xy, sources, tangents, absent, targets) -> tuple[np.ndarray, np.ndarray]:
    """Render, expose and write one band of a strip; PSF fluxes of the `targets` and their errors, nmgy, [n] each."""
    band, detector = BANDS[b], images.DETECTORS[BANDS[b]]
    rng = _rng(seed, "noise", strip, b)
    calibration = detector.nmgy_per_dn * (1 + 0.003 * np.sin(np.arange(strip.columns) / 300 + rng.uniform(0, 6)))
    calibration = (calibration * np.exp(rng.normal(0, 0.02))).astype(np.float32).astype(float)
    sky = _sky(rng, strip, detector.sky)

    flux = sources.flux[:, b].copy()
    model = np.zeros((strip.length, strip.columns))
    images.render_points(model, psf, xy[: sources.galaxy0], flux[: sources.galaxy0])
    true = flux[targets]
    for index, (place, shape) in enumerate(zip(xy[sources.galaxy0 :], sources.shapes, strict=True), sources.galaxy0):
        shape = shape / [0.396, 1, 1]
        window = images.disc_window(model, psf, *place, shape[0])
        disc = images.disc(psf, window, *place, shape)
        model[window] += flux[index] * disc
        for target in np.flatnonzero(targets == index):
            p = images.point(psf, window, *place)
            true[target] = flux[index] * np.sum(p * disc) / np.sum(p * p)

    image = images.expose(rng, model, sky, calibration, detector)
    for field in range(strip.fields):
        if (field, band) != absent:
            rows = slice(field * strip.step, field * strip.step + strip.rows)
            frames.write(sas, strip, field, band, image[rows], tangents[field][b], sky[rows], calibration)
    shift, error = images.psf_flux(
        image - model, images.variance(model, sky, calibration, detector), psf, xy[targets]
    )
    return true + shift, error


def _sky(rng: np.random.Generator, strip: geometry.Strip, level: float) -> np.ndarray:
    """A smooth sky [length, columns] in DN: its level differs by 5 % between strips and drifts by 1 % within one."""
    level = level * np.exp(rng.normal(0, 0.05))
    along = np.sin(np.arange(strip.length) / 1000 + rng.uniform(0, 2 * np.pi))
    across = rng.normal(0, 1) * (np.arange(strip.columns) / strip.columns - 0.5)
    return level * (1 + 0.01 * along[:, None] + 0.01 * across)
