"""One strip from nothing: its sources, images, frames, and its rows of the catalog and of the truth."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from crossz.core.constants import BANDS
from crossz.sdss.zenith import zenith
from crossz.sky import catalog, defects, filters, frames, geometry, hosts, images, photometry, population, refraction
from crossz.sky.scene import ARCSEC, Scene, scene
from crossz.sky.sources import Measured, Sources

_KINDS = {"population": 10, "seeing": 11, "noise": 12, "catalog": 13, "targets": 14}
_KINDS |= {"hosts": 15, "faint": 16, "bright": 17, "psf": 18, "defects": 19, "infrared": 21}
EFFECTS = ("blending", "dcr", "hosts", "psf", "defects")
"""What can be there that magnitudes know nothing of."""
FAINT_DENSITY = 14.0
"""Galaxies of r = 22.5 to 24.5 per square arcminute, which no catalog lists."""
_EDGE = ((6.0, 6.0), (14.0, 24.0))
"""Least distance of a quasar's r position from the lower and the upper edges (columns, rows) of its strip, pixels:
the largest offset of another band, and a little."""
_APART = 12.0  # pixels: no two quasars within 4.7 arcsec, so that groups by position are one quasar each
_MARGIN = 30.0  # pixels around the strip in which neighbours may lie whose wings reach into it


def observe(
    strip: geometry.Strip, sas: Path, seed: int, absent: tuple[int, str] | None, effects: Collection[str] = ()
) -> catalog.Rows:
    """Make one strip: write its frames under `sas`, and return its rows.

    Parameters
    ----------
    strip
        Which strip.
    sas
        Root of the frames.
    seed
        The survey's.
    absent
        Field (from 0) and band of a frame that is left out.
    effects
        Those of EFFECTS that there are.
    """
    tangents = geometry.tangents(strip, seed)
    sources = _populate(strip, tangents, seed, effects)
    rng = _rng(seed, "catalog", strip)
    targets = catalog.choose_targets(rng, sources, strip)
    common, *own = _rng(seed, "seeing", strip).normal(0, 0.06, 1 + len(BANDS))
    fwhm = np.exp(common + 0.3 * np.array(own)) * [images.FWHM_ARCSEC[band] / ARCSEC for band in BANDS]
    scenes = [
        scene(sources, b, strip.step, images.psf(fwhm[b]), _stretch(strip, b, sources, seed, effects))
        for b in range(len(BANDS))
    ]
    r = BANDS.index("r")
    beside = photometry.neighbours(scenes[r], targets) if "blending" in effects else None
    size = flags = None
    measured = {}
    for b in (r, *(b for b in range(len(BANDS)) if b != r)):
        band = _Band(strip, b, scenes[b], [field[b] for field in tangents], effects)
        measured[b], said = _observe_band(band, targets, sas=sas, seed=seed, absent=absent, beside=beside, size=size)
        size, flags = (measured[b].size, said) if b == r else (size, flags)
    flux, error, shift, model, _ = (np.stack([measured[b][k] for b in range(len(BANDS))], axis=1) for k in range(5))
    assert flags is not None
    result = Measured(
        targets, flux, error, shift * ("dcr" in effects), model if "hosts" in effects else None, *flags, fwhm
    )
    return catalog.rows(rng, strip, tangents, sources, result, _rng(seed, "infrared", strip))


class _Band(NamedTuple):
    """One band of a strip."""

    strip: geometry.Strip
    number: int
    scene: Scene
    tangents: list[geometry.Tangent]
    effects: Collection[str]


def _rng(seed: int, kind: str, strip: geometry.Strip, *more: int) -> np.random.Generator:
    return np.random.default_rng([seed, _KINDS[kind], strip.number, *more])


def _populate(
    strip: geometry.Strip, tangents: list[list[geometry.Tangent]], seed: int, effects: Collection[str]
) -> Sources:
    rng = _rng(seed, "population", strip)
    quasars = population.quasars(rng, strip.quasars)
    size = np.array([strip.columns, strip.length])
    places = [population.apart(rng, strip.quasars, _EDGE[0], size - _EDGE[1], _APART)]
    area = np.prod(size + 2 * _MARGIN) * (geometry.PIXEL * 60) ** 2  # square arcminutes
    stars = population.stars(rng, rng.poisson(population.STAR_DENSITY * area))
    galaxies, shapes = population.galaxies(rng, rng.poisson(population.GALAXY_DENSITY * area))
    places += [rng.uniform(-_MARGIN, size + _MARGIN, (len(fluxes), 2)) for fluxes in (stars, galaxies)]
    stars, places[1], width = _more_points(strip, seed, effects, stars, places[1])
    galaxies, shapes, places[2], host_of = _more_galaxies(
        strip, seed, effects, quasars=quasars, flux=galaxies, shapes=shapes, places=places
    )
    own = _rng(seed, "targets", strip)
    more_stars = population.stars(own, strip.stars)
    more_galaxies, more_shapes, z = population.main_galaxies(own, strip.galaxies)
    more = population.apart(own, strip.stars + strip.galaxies, _EDGE[0], size - _EDGE[1], _APART, beside=places[0])
    places = [*places[:2], more[: strip.stars], places[2], more[strip.stars :]]
    stars, first_star = np.concatenate([stars, more_stars]), strip.quasars + len(stars)
    galaxy_z = np.concatenate([np.full(len(galaxies), np.nan), z])
    host_of = np.concatenate([host_of, np.full(len(z), -1)])
    shapes = np.concatenate([shapes, more_shapes])
    first_galaxy = strip.quasars + len(stars) + len(galaxies)
    galaxies = np.concatenate([galaxies, more_galaxies])
    wanted = np.r_[first_star : first_star + strip.stars, first_galaxy : first_galaxy + strip.galaxies]
    xy = np.concatenate(places)
    field = geometry.primary_field(strip, xy[:, 1])
    sky, pixels = geometry.in_every_band(
        tangents, field, xy - np.stack([np.zeros(len(xy)), field * strip.step], axis=1)
    )
    ebv = geometry.dust(sky, seed)
    flux = np.concatenate([quasars[[f"flux_{band}" for band in BANDS]].to_numpy(), stars, galaxies])
    if "dcr" in effects:
        pixels = pixels + _refracted(strip, tangents, quasars, flux, field)
    flux = flux * 10 ** (-0.4 * ebv[:, None] * filters.EXTINCTION)
    width = np.concatenate([np.ones(strip.quasars), width, np.ones(len(flux) - strip.quasars - len(width))])
    return Sources(quasars, shapes, galaxy_z, host_of, width, wanted.astype(int), flux, ebv, sky, field, pixels)


def _more_points(
    strip: geometry.Strip, seed: int, effects: Collection[str], stars: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add galaxies too faint to be known, drawn as wide points, and stars that saturate: fluxes, places, widths."""
    size = np.array([strip.columns, strip.length])
    area = np.prod(size + 2 * _MARGIN) * (geometry.PIXEL * 60) ** 2
    width = np.ones(len(stars))
    for effect, kind, density in (("blending", "faint", FAINT_DENSITY), ("defects", "bright", defects.BRIGHT_STARS)):
        if effect in effects:
            rng = _rng(seed, kind, strip)
            n = rng.poisson(density * area)
            if kind == "faint":
                flux, r = population.galaxies(rng, n)[0], 22.5 + 2.0 * rng.power(2, n)
            else:
                flux, r = population.stars(rng, n), defects.stars(rng, n)
            flux *= (10 ** (0.4 * (22.5 - r)) / flux[:, BANDS.index("r")])[:, None]
            stars = np.concatenate([stars, flux])
            places = np.concatenate([places, rng.uniform(-_MARGIN, size + _MARGIN, (n, 2))])
            width = np.concatenate([width, np.full(n, 1.25 if kind == "faint" else 1.0)])
    return stars, places, width


def _more_galaxies(
    strip: geometry.Strip,
    seed: int,
    effects: Collection[str],
    *,
    quasars: pd.DataFrame,
    flux: np.ndarray,
    shapes: np.ndarray,
    places: list[np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Add hosts and galaxies in front: fluxes, shapes [n, 4], places of galaxies, and whose host each is."""
    shapes = np.column_stack([shapes, np.zeros(len(shapes))])
    own = places[2]
    host_of = np.full(len(flux), -1)
    if "hosts" in effects:
        rng = _rng(seed, "hosts", strip)
        host_flux, host_shapes, of = hosts.hosts(rng, quasars)
        near_flux, near_shapes, near = hosts.foreground(rng, places[0] * ARCSEC)
        flux = np.concatenate([flux, host_flux, near_flux])
        shapes = np.concatenate([shapes, host_shapes, np.column_stack([near_shapes, np.zeros(len(near))])])
        own = np.concatenate([own, places[0][of], near / ARCSEC])
        host_of = np.concatenate([host_of, of, np.full(len(near), -1)])
    return flux, shapes, own, host_of


def _refracted(
    strip: geometry.Strip,
    tangents: list[list[geometry.Tangent]],
    quasars: pd.DataFrame,
    flux: np.ndarray,
    field: np.ndarray,
) -> np.ndarray:
    """How far [n, 5, 2] the air moves each source in pixels, beside what it does to the mean star; fluxes above the dust."""
    lifted = refraction.of_colours(flux, filters.weights(), filters.WAVELENGTH)
    lifted[: strip.quasars] = quasars[[f"refraction_{band}" for band in BANDS]]
    lifted -= refraction.mean_star(filters.weights(), filters.WAVELENGTH)
    shift = np.empty((*lifted.shape, 2))
    for number, bands in enumerate(tangents):
        here = field == number
        for b, band in enumerate(BANDS):
            towards = zenith(bands[b].crval[0], bands[b].crval[1], frames.time(strip, number, band))
            shift[here, b] = lifted[here, b, None] / 3600 * np.linalg.solve(bands[b].cd, towards)
    return shift


def _stretch(strip: geometry.Strip, b: int, sources: Sources, seed: int, effects: Collection[str]) -> np.ndarray:
    """How much wider [n] the PSF of band number `b` is than the pipeline believes: by 1 to 3 %, smoothly over a strip."""
    if "psf" not in effects:
        return np.ones(len(sources.field))
    rng = _rng(seed, "psf", strip, b)
    offset, across = rng.normal(0, 0.012, 2)
    phase = rng.uniform(0, 2 * np.pi)
    x, y = sources.pixels[:, b, 0], sources.pixels[:, b, 1] + sources.field * strip.step
    return 1 + offset + across * (2 * x / strip.columns - 1) + 0.018 * np.sin(2 * np.pi * y / 900 + phase)


def _observe_band(
    band: _Band,
    targets: np.ndarray,
    *,
    sas: Path,
    seed: int,
    absent: tuple[int, str] | None,
    beside: photometry.Neighbours | None,
    size: np.ndarray | None,
) -> tuple[photometry.Measurement, tuple[np.ndarray, np.ndarray]]:
    """Render, expose and write one band of a strip; measure `targets` in it, and say how well neighbours came off."""
    strip, b, shining, tangents, effects = band
    name, detector = BANDS[b], images.DETECTORS[BANDS[b]]
    rng = _rng(seed, "noise", strip, b)
    calibration = _calibration(rng, strip, detector.nmgy_per_dn)
    sky = _sky(rng, strip, detector.sky)
    model = shining.render((strip.length, strip.columns))
    seen = model
    fields = [slice(field * strip.step, field * strip.step + strip.rows) for field in range(strip.fields)]
    if "defects" in effects:
        seen = model.copy()
        defects.add(_rng(seed, "defects", strip, b), seen, detector, calibration, shining.psf, fields)
    image = images.expose(rng, seen, sky, calibration, detector)
    for field, rows in enumerate(fields):
        if (field, name) != absent:
            exposure = frames.Exposure(image[rows], sky[rows], calibration)
            frames.write(sas, strip, field, name, tangents[field], exposure)
    flags, clean = np.zeros(len(targets), int), np.ones(len(targets), bool)
    fluxes = None
    if beside is not None:
        alone, fluxes = photometry.deblended(shining, image, beside)
        flags, clean = photometry.flags(beside, alone, fluxes, len(targets))
    pixels = photometry.without_neighbours(shining, image, model, targets, beside, fluxes)
    variance = images.variance(model, sky, calibration, detector)
    return photometry.measure(shining, image, pixels, variance, targets, size), (flags, clean)


def _calibration(rng: np.random.Generator, strip: geometry.Strip, nmgy_per_dn: float) -> np.ndarray:
    """nmgy per DN [columns], float32 as in a frame: 2 % between strips, 0.3 % along the columns."""
    wave = 1 + 0.003 * np.sin(np.arange(strip.columns) / 300 + rng.uniform(0, 2 * np.pi))
    return (nmgy_per_dn * np.exp(rng.normal(0, 0.02)) * wave).astype(np.float32).astype(float)


def _sky(rng: np.random.Generator, strip: geometry.Strip, level: float) -> np.ndarray:
    """A smooth sky [length, columns] in DN: its level differs by 5 % between strips and drifts by 1 % within one."""
    level = level * np.exp(rng.normal(0, 0.05))
    along = np.sin(np.arange(strip.length) / 1000 + rng.uniform(0, 2 * np.pi))
    across = rng.normal(0, 1) * (np.arange(strip.columns) / strip.columns - 0.5)
    return level * (1 + 0.01 * along[:, None] + 0.01 * across)
