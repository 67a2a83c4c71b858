"""A synthetic SDSS: quasars from spectrum to catalog row, on images that could be real ones.

`build` makes the tables (SQLite), the frames (`.fits.bz2`, in the archive's own layout) and the truth behind them;
`write_spectra` makes the spectroscopic files of the same quasars, which only the spectral baseline needs.

    filters      fluxes through ugriz, asinh magnitudes      seds, igm    spectra of quasars; galaxies: of galaxies
    geometry     strips, fields, WCS, dust                   population   what is on the sky
    images       PSF, rendering, noise, PSF fluxes           frames       FITS files of images
    catalog    rows of SpecObjAll, PhotoObjAll, truth      spectroscopy FITS files of spectra
    survey       one strip, start to end                     identifiers  objID, specObjID
"""

from crossz.sky.build import build, counts
from crossz.sky.spectroscopy import write_spectra

__all__ = ["build", "counts", "write_spectra"]
