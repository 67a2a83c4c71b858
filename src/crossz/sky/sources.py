"""What shines on one strip, and what was measured of it."""

from typing import NamedTuple

import numpy as np
import pandas as pd


class Sources(NamedTuple):
    """Everything that shines on one strip, quasars first, then stars, then galaxies; n sources.

    Attributes
    ----------
    quasars : DataFrame
        What `population.quasars` drew.
    shapes : array [galaxies, 4]
        Half-light radius (arcsec), axis ratio, angle (radian), whether it is a de Vaucouleurs profile.
    galaxy_z : array [galaxies]
        Redshift; NaN of neighbours.
    host_of : array [galaxies] of int
        The quasar whose host it is; -1: none's.
    width : array [n]
        How much wider than the PSF a point looks: faint galaxies are drawn as wide points.
    wanted : array of int
        Numbers of the stars and galaxies that are there to have spectra.
    flux : array [n, 5]
        nmgy, below the Galactic dust.
    ebv : array [n]
        Galactic E(B-V).
    sky : array [n, 2]
        ra, dec in degrees.
    field : array [n] of int
        Primary field, from 0.
    pixels : array [n, 5, 2]
        x, y in the primary field's frame of each band.
    """

    quasars: pd.DataFrame
    shapes: np.ndarray
    galaxy_z: np.ndarray
    host_of: np.ndarray
    width: np.ndarray
    wanted: np.ndarray
    flux: np.ndarray
    ebv: np.ndarray
    sky: np.ndarray
    field: np.ndarray
    pixels: np.ndarray

    @property
    def galaxy0(self) -> int:
        """Index of the first galaxy."""
        return len(self.flux) - len(self.shapes)


class Measured(NamedTuple):
    """What the images of a strip give.

    Attributes
    ----------
    targets : array [n] of int
        Indices of the sources that the catalog lists.
    psf_flux, psf_error : array [n, 5]
        Their PSF fluxes and the errors of these, nmgy.
    shift : array [n, 5, 2]
        x, y of their measured centroids minus the true ones, pixels; 0 where positions are known.
    model_flux : array [n, 5]
        Fluxes of model fits, nmgy; None where they are drawn from the PSF fluxes.
    flags : array [n] of int
        Bits of deblending.
    clean : array [n] of bool
        Whether deblending went well.
    fwhm : array [5]
        Full width at half maximum of the PSF, pixels.
    """

    targets: np.ndarray
    psf_flux: np.ndarray
    psf_error: np.ndarray
    shift: np.ndarray
    model_flux: np.ndarray | None
    flags: np.ndarray
    clean: np.ndarray
    fwhm: np.ndarray
