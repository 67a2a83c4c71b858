"""The light of a strip in one band: every source seen through the point spread function, alone or all together."""

from typing import NamedTuple

import numpy as np

from crossz.core.constants import BANDS
from crossz.sky import images
from crossz.sky.geometry import PIXEL
from crossz.sky.images import Window
from crossz.sky.sources import Sources

ARCSEC = PIXEL * 3600
"""Arcseconds per pixel."""


class Scene(NamedTuple):
    """What shines on a strip in one band: n sources, points first, then galaxies.

    Attributes
    ----------
    psf
        As the pipeline believes it to be.
    xy : array [n, 2]
        Pixels of the strip.
    flux : array [n]
        nmgy.
    stretch : array [n]
        How much wider than `psf` it really is where the source lies.
    shapes : array [galaxies, 4]
        As in `Sources`.
    host_of : array [galaxies] of int
        The quasar whose host it is; -1: none's.
    """

    psf: images.Psf
    xy: np.ndarray
    flux: np.ndarray
    stretch: np.ndarray
    shapes: np.ndarray
    host_of: np.ndarray

    @property
    def galaxy0(self) -> int:
        """Index of the first galaxy."""
        return len(self.flux) - len(self.shapes)

    def psf_at(self, source: int) -> images.Psf:
        """The real PSF at a source."""
        return self.psf._replace(sigma=self.psf.sigma * self.stretch[source])

    def light(self, source: int, window: Window) -> np.ndarray:
        """nmgy of one source in the pixels of `window`; a host is a source of its own."""
        (x, y), psf = self.xy[source].tolist(), self.psf_at(source)
        if source < self.galaxy0:
            return self.flux[source] * images.point(psf, window, x, y)
        *shape, old = self.shapes[source - self.galaxy0]
        profile = images.DE_VAUCOULEURS if old else images.EXPONENTIAL
        return self.flux[source] * images.disc(psf, window, x, y, np.array(shape) / [ARCSEC, 1, 1], profile)

    def whole(self, source: int, window: Window) -> np.ndarray:
        """`light` of a source with its host."""
        hosts = self.galaxy0 + np.flatnonzero(self.host_of == source)
        return self.light(source, window) + sum(self.light(host, window) for host in hosts.tolist())

    def render(self, shape: tuple[int, int]) -> np.ndarray:
        """nmgy of everything in an image of `shape`."""
        image = np.zeros(shape)
        for source, (x, y) in enumerate(self.xy.tolist()):
            if source < self.galaxy0:
                window = images.window_at(shape, x, y, self.psf_at(source).radius)
            else:
                half_light, _, _, old = self.shapes[source - self.galaxy0]
                reach = (images.DE_VAUCOULEURS if old else images.EXPONENTIAL).reach
                window = images.disc_window(image, self.psf_at(source), x, y, half_light / ARCSEC, reach)
            image[window] += self.light(source, window)
        return image


def scene(sources: Sources, b: int, step: int, psf: images.Psf, stretch: np.ndarray) -> Scene:
    """The scene of band number `b`; `step`: rows from one field to the next."""
    assert 0 <= b < len(BANDS)
    xy = sources.pixels[:, b] + np.stack([np.zeros(len(sources.field)), sources.field * step], axis=1)
    return Scene(psf, xy, sources.flux[:, b], stretch * sources.width, sources.shapes, sources.host_of)
