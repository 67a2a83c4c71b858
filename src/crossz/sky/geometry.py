"""Where the survey looks: strips on great circles, their fields, the WCS of every frame, the dust.

A strip is one run and camera column: a continuous image per band, `columns` wide along nu, scanned along mu (great
circle coordinates; Pier et al. 2003). Its fields are cut out every `rows - OVERLAP` rows. Pixels are 0-based.
"""

from typing import NamedTuple

import numpy as np
from astropy.wcs import WCS

from crossz.core.constants import BANDS
from crossz.sdss.coordinates import unit_vectors
from crossz.sdss.zenith import hour_angle

OVERLAP = 128
"""Rows that a field shares with the next one of its strip."""
FIELDS_PER_STRIP = 8
PIXEL = 0.396 / 3600
"""Degrees per pixel."""
OFFSETS = np.array([
    [[-2.0, 5.5], [3.7, 8.9]],
    [[-2.1, 5.5], [8.9, 13.6]],
    [[0.0, 0.0], [0.0, 0.0]],
    [[-1.9, 2.9], [2.6, 3.7]],
    [[-2.3, 4.2], [6.5, 8.5]],
])  # fmt: skip
"""Range [5, 2, 2] of x and y of an object in ugriz minus those in r, pixels: measured on real frames."""
_JITTER = 0.04  # pixels: largest error of one frame's WCS along an axis, as overlaps of real fields show
NODE = 95.0
"""Degrees: right ascension of the ascending node of every SDSS great circle."""
_STRIPES = tuple(range(10, 46, 2))  # 5 degrees apart, so that no two runs see the same sky
_STARTS = np.arange(160.0, 208.0, 2.4)  # mu of a run's first row, degrees; a strip is at most 1.2 degrees long
_CAMCOL_STEP = 0.4195  # degrees between camera columns


class Strip(NamedTuple):
    """One run and camera column, and how much lies on it. `start`: MJD (TAI) of its first row in r."""

    number: int
    run: int
    camcol: int
    stripe: int
    incl: float
    mu: float
    nu: float
    start: float
    fields: int
    quasars: int
    columns: int
    rows: int
    galaxies: int = 0
    stars: int = 0

    @property
    def step(self) -> int:
        """Rows from the first of a field to the first of the next."""
        return self.rows - OVERLAP

    @property
    def length(self) -> int:
        """Rows of the strip."""
        return (self.fields - 1) * self.step + self.rows


FIRST_FIELD = 11
"""Number of the first field of every strip, as in many real runs."""


class Tangent(NamedTuple):
    """A TAN projection without distortion: the WCS of one frame (1-based crpix, degrees)."""

    crpix: np.ndarray
    crval: np.ndarray
    cd: np.ndarray

    def wcs(self) -> WCS:
        """As astropy sees it in the frame's header."""
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        wcs.wcs.crpix, wcs.wcs.crval, wcs.wcs.cd = self.crpix, self.crval, self.cd
        return wcs


def strips(
    quasars: int, frame: tuple[int, int], quasars_per_field: int, seed: int, galaxies: int = 0, stars: int = 0
) -> list[Strip]:
    """Divide a survey into strips of at most FIELDS_PER_STRIP fields.

    Parameters
    ----------
    quasars
        How many there are.
    frame
        Columns and rows of a frame.
    quasars_per_field
        About so many lie on each field.
    seed
        The survey's.
    galaxies, stars
        How many more objects with spectra there are.

    Raises
    ------
    ValueError
        A frame is too small to be cut out with its overlaps, or the sky is full.
    """
    columns, rows = frame
    if columns < 128 or rows < 3 * OVERLAP:
        raise ValueError(f"frame {columns} x {rows}: at least 128 columns and {3 * OVERLAP} rows are needed")
    fields = max(-(-quasars // quasars_per_field), 4)
    count = max(-(-fields // FIELDS_PER_STRIP), 2)
    most = 6 * len(_STRIPES) * len(_STARTS)
    if count > most:
        raise ValueError(f"{quasars} quasars need {count} strips, the sky has {most}: raise quasars_per_field")
    of_fields = np.diff(np.linspace(0, fields, count + 1).round().astype(int))
    of_quasars, of_galaxies, of_stars = (
        np.diff((np.cumsum(np.r_[0, of_fields]) * number / fields).round().astype(int))
        for number in (quasars, galaxies, stars)
    )
    plan = []
    for number in range(count):
        run, camcol = number // 6, number % 6 + 1
        rng = np.random.default_rng([seed, 1, run])
        stripe = _STRIPES[run * 7 % len(_STRIPES)]
        plan.append(
            Strip(
                number=number,
                run=752 + 20 * run + int(rng.integers(14)),
                camcol=camcol,
                stripe=stripe,
                incl=2.5 * (stripe - 10),
                mu=float(_STARTS[run // len(_STRIPES)] + rng.uniform(0, 0.3)),
                nu=(camcol - 3.5) * _CAMCOL_STEP,
                start=_start(seed, run, stripe, float(_STARTS[run // len(_STRIPES)])),
                fields=int(of_fields[number]),
                quasars=int(of_quasars[number]),
                columns=columns,
                rows=rows,
                galaxies=int(of_galaxies[number]),
                stars=int(of_stars[number]),
            )
        )
    return plan


def _start(seed: int, run: int, stripe: int, mu: float) -> float:
    """When a run begins: in a spring night, up to 1.5 hours before or after its sky crosses the meridian."""
    place, _, _ = _frame_vectors(mu, 0, 2.5 * (stripe - 10))
    ra = np.rad2deg(np.arctan2(place[1], place[0]))
    night = 51260.8 + 365 * (run // 12) + 3 * (run % 12)
    hour = np.random.default_rng([seed, 5, run]).uniform(-22.5, 22.5)
    return night + float((hour - hour_angle(ra, night)) % 360) / 360.98564736629


def _to_sky(incl: float) -> np.ndarray:
    """Rotation matrix from great circle to equatorial Cartesian coordinates."""
    n, i = np.deg2rad([NODE, incl])
    tilt = np.array([[1, 0, 0], [0, np.cos(i), -np.sin(i)], [0, np.sin(i), np.cos(i)]])
    return np.array([[np.cos(n), -np.sin(n), 0], [np.sin(n), np.cos(n), 0], [0, 0, 1]]) @ tilt


def _frame_vectors(mu: float, nu: float, incl: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equatorial unit vectors [3] at great circle coordinates (degrees): the place itself, along mu, along nu."""
    m, n = np.deg2rad([mu - NODE, nu])
    place = np.array([np.cos(n) * np.cos(m), np.cos(n) * np.sin(m), np.sin(n)])
    along_mu = np.array([-np.sin(m), np.cos(m), 0])
    return _to_sky(incl) @ place, _to_sky(incl) @ along_mu, _to_sky(incl) @ np.cross(place, along_mu)


def great_circle(sky: np.ndarray, incl: float) -> np.ndarray:
    """mu, nu [n, 2] of ra, dec [n, 2], degrees, on the great circle of inclination `incl`."""
    x, y, z = (unit_vectors(sky[:, 0], sky[:, 1]) @ _to_sky(incl)).T
    return np.rad2deg(np.stack([np.arctan2(y, x) + np.deg2rad(NODE), np.arcsin(z)], axis=-1))


def mu_of_row(strip: Strip, row: float) -> float:
    """mu in degrees of a row of the strip, counted from the first row of its first field, in r."""
    return strip.mu + row * PIXEL / np.cos(np.deg2rad(strip.nu))


def band_offsets(strip: Strip, seed: int, row: np.ndarray) -> np.ndarray:
    """x and y of an object in ugriz minus those in r.

    Two slow waves along the strip keep it inside OFFSETS, and neighbouring fields consistent.

    Parameters
    ----------
    strip, seed
        Which strip, of which survey.
    row : array [n]
        Row of the strip.

    Returns
    -------
    array [n, 5, 2]
        Pixels.
    """
    rng = np.random.default_rng([seed, 2, strip.number])
    phase = rng.uniform(0, 2 * np.pi, (2, len(BANDS), 2))
    row = np.asarray(row, dtype=float)[:, None, None]
    wave = 0.6 * np.sin(2 * np.pi * row / 80000 + phase[0]) + 0.4 * np.sin(2 * np.pi * row / 50000 + phase[1])
    return OFFSETS.mean(axis=-1) + 0.40 * (OFFSETS[..., 1] - OFFSETS[..., 0]) * wave


def tangents(strip: Strip, seed: int) -> list[list[Tangent]]:
    """The WCS of every frame of a strip.

    r follows the great circle. Another band sees an object at field centre displaced by `band_offsets`. The slope of
    these along the strip, with a constant scale and rotation across it, makes that band's own CD matrix. Every frame
    has a small error of its own, so that fields disagree a little about the objects in their overlap.

    Parameters
    ----------
    strip, seed
        Which strip, of which survey.

    Returns
    -------
    list of list of Tangent
        [field][band].
    """
    rng = np.random.default_rng([seed, 3, strip.number])
    across = rng.uniform(-1, 1, (len(BANDS), 2)) * [3e-4, 3e-4]  # scale and shear of the column direction
    across[BANDS.index("r")] = 0
    crpix = np.array([strip.columns / 2 + 1, (strip.rows + 1) / 2])
    result = []
    for field in range(strip.fields):
        centre = field * strip.step + crpix[1] - 1
        place, along_mu, along_nu = _frame_vectors(mu_of_row(strip, centre), strip.nu, strip.incl)
        ra, dec = np.arctan2(place[1], place[0]), np.arcsin(place[2])
        east = np.array([-np.sin(ra), np.cos(ra), 0])
        north = np.cross(place, east)
        cd = PIXEL * np.array([[along_nu @ east, along_mu @ east], [along_nu @ north, along_mu @ north]])
        r_frame = Tangent(crpix, np.rad2deg([ra % (2 * np.pi), dec]), cd)
        offset, before, after = band_offsets(strip, seed, np.array([centre, centre - 0.5, centre + 0.5]))
        slope = after - before
        offset = offset + rng.uniform(-_JITTER, _JITTER, offset.shape)
        seen = r_frame.wcs().all_pix2world(crpix - 1 - offset, 0)
        result.append([
            Tangent(crpix, seen[b], cd @ np.array([[1 + across[b, 0], -slope[b, 0]], [across[b, 1], 1 - slope[b, 1]]]))
            for b in range(len(BANDS))
        ])  # fmt: skip
    return result


def primary_field(strip: Strip, row: np.ndarray) -> np.ndarray:
    """The field (from 0) whose middle part holds a row of the strip: in an overlap each field has its half."""
    return np.clip((row - OVERLAP / 2) // strip.step, 0, strip.fields - 1).astype(int)


def in_every_band(frames: list[list[Tangent]], field: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where pixels of r frames lie on the sky, and in every band.

    Parameters
    ----------
    frames
        The WCS of every frame, [field][band].
    field : array [n] of int
        The field of each position, from 0.
    xy : array [n, 2]
        Pixels of its r frame.

    Returns
    -------
    sky : array [n, 2]
        ra, dec in degrees.
    pixels : array [n, 5, 2]
        x, y in the field's frame of each band.
    """
    sky, pixels = np.empty((len(xy), 2)), np.empty((len(xy), len(BANDS), 2))
    for number in np.unique(field):
        here = field == number
        sky[here] = frames[number][BANDS.index("r")].wcs().all_pix2world(xy[here], 0)
        for b in range(len(BANDS)):
            pixels[here, b] = frames[number][b].wcs().all_world2pix(sky[here], 0)
    return sky, pixels


def dust(sky: np.ndarray, seed: int) -> np.ndarray:
    """Galactic E(B-V): lognormal about 0.035, 0.01 to 0.3, varying over 4 to 0.2 degrees.

    It is a sum of plane waves through the unit sphere, so that it knows no poles and no edges.

    Parameters
    ----------
    sky : array [n, 2]
        ra, dec in degrees.
    seed
        The survey's.

    Returns
    -------
    array [n]
    """
    rng = np.random.default_rng([seed, 4])
    waves = 48
    scale = np.deg2rad(np.geomspace(4, 0.2, waves))
    direction = rng.normal(size=(waves, 3))
    direction *= 2 * np.pi / scale[:, None] / np.linalg.norm(direction, axis=1, keepdims=True)
    wave = np.sin(unit_vectors(sky[:, 0], sky[:, 1]) @ direction.T + rng.uniform(0, 2 * np.pi, waves)).sum(
        axis=-1
    ) * np.sqrt(2 / waves)
    return np.clip(0.035 * np.exp(0.7 * wave), 0.01, 0.3)
