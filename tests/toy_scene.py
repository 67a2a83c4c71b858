"""Point sources by hand."""

import numpy as np

from crossz.sky.images import Psf
from crossz.sky.scene import Scene


def points(psf: Psf, xy, flux) -> Scene:
    """A scene of points, and of nothing else."""
    return Scene(
        psf, np.array(xy, float), np.array(flux, float), np.ones(len(flux)), np.zeros((0, 4)), np.zeros(0, int)
    )
