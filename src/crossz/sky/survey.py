"""One strip from nothing: its sources, images, frames, and its rows of the catalog and of the truth."""

from pathlib import Path

import numpy as np

from crossz.core.constants import BANDS
from crossz.sky import catalog, filters, frames, geometry, images, population
from crossz.sky.sources import Measured, Sources

_KINDS = {"population": 10, "seeing": 11, "noise": 12, "catalog": 13, "targets": 14}
_EDGE = ((6.0, 6.0), (14.0, 24.0))
"""Least distance of a quasar's r position from the lower and the upper edges (columns, rows) of its strip, pixels:
the largest offset of another band, and a little."""
_APART = 12.0  # pixels: no two quasars within 4.7 arcsec, so that groups by position are one quasar each
ARCSEC = geometry.PIXEL * 3600
"""Arcseconds per pixel."""
_MARGIN = 30.0  # pixels around the strip in which neighbours may lie whose wings reach into it


def observe(strip: geometry.Strip, sas: Path, seed: int, absent: tuple[int, str] | None) -> catalog.Rows:
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
    """
    tangents = geometry.tangents(strip, seed)
    sources = _populate(strip, tangents, seed)
    rng = _rng(seed, "catalog", strip)
    targets = catalog.choose_targets(rng, sources, strip)
    common, *own = _rng(seed, "seeing", strip).normal(0, 0.06, 1 + len(BANDS))
    fwhm = np.exp(common + 0.3 * np.array(own)) * [images.FWHM_ARCSEC[band] / ARCSEC for band in BANDS]
    measured = [
        _band(
            strip, b, sources, targets,
            sas=sas, seed=seed, psf=images.psf(fwhm[b]), tangents=[field[b] for field in tangents], absent=absent,
        )
        for b in range(len(BANDS))
    ]  # fmt: skip
    psf_flux, psf_error = np.moveaxis(np.array(measured), 0, -1)
    return catalog.rows(rng, strip, tangents, sources, Measured(targets, psf_flux, psf_error, fwhm))


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
    own = _rng(seed, "targets", strip)
    more_stars = population.stars(own, strip.stars)
    more_galaxies, more_shapes, z = population.main_galaxies(own, strip.galaxies)
    more = population.apart(own, strip.stars + strip.galaxies, _EDGE[0], size - _EDGE[1], _APART, beside=places[0])
    places = [*places[:2], more[: strip.stars], places[2], more[strip.stars :]]
    stars, first_star = np.concatenate([stars, more_stars]), strip.quasars + len(stars)
    galaxy_z = np.concatenate([np.full(len(galaxies), np.nan), z])
    shapes = np.concatenate([np.column_stack([shapes, np.zeros(len(shapes))]), more_shapes])
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
    flux = flux * 10 ** (-0.4 * ebv[:, None] * filters.EXTINCTION)
    return Sources(quasars, shapes, galaxy_z, wanted.astype(int), flux, ebv, sky, field, pixels)


def _band(
    strip: geometry.Strip,
    b: int,
    sources: Sources,
    targets: np.ndarray,
    *,
    sas: Path,
    seed: int,
    psf: images.Psf,
    tangents: list[geometry.Tangent],
    absent: tuple[int, str] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Render, expose and write band number `b` of a strip; PSF fluxes of `targets` and their errors, nmgy, [n] each."""
    band, detector = BANDS[b], images.DETECTORS[BANDS[b]]
    rng = _rng(seed, "noise", strip, b)
    calibration = _calibration(rng, strip, detector.nmgy_per_dn)
    sky = _sky(rng, strip, detector.sky)

    xy = sources.pixels[:, b] + np.stack([np.zeros(len(sources.field)), sources.field * strip.step], axis=1)
    flux, galaxy0 = sources.flux[:, b], sources.galaxy0
    model = np.zeros((strip.length, strip.columns))
    images.render_points(model, psf, xy[:galaxy0], flux[:galaxy0])
    true = flux[targets]
    for galaxy, (place, shape) in enumerate(zip(xy[galaxy0:], sources.shapes, strict=True), galaxy0):
        profile = images.DE_VAUCOULEURS if shape[3] else images.EXPONENTIAL
        shape = shape[:3] / [ARCSEC, 1, 1]
        window = images.disc_window(model, psf, place[0], place[1], shape[0], profile.reach)
        disc = flux[galaxy] * images.disc(psf, window, place[0], place[1], shape, profile)
        model[window] += disc
        if galaxy in targets:
            p = images.point(psf, window, place[0], place[1])
            true[targets == galaxy] = np.sum(p * disc) / np.sum(p * p)

    image = images.expose(rng, model, sky, calibration, detector)
    for field in range(strip.fields):
        if (field, band) != absent:
            rows = slice(field * strip.step, field * strip.step + strip.rows)
            exposure = frames.Exposure(image[rows], sky[rows], calibration)
            frames.write(sas, strip, field, band, tangents[field], exposure)
    shift, error = images.psf_flux(image - model, images.variance(model, sky, calibration, detector), psf, xy[targets])
    return true + shift, error


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
