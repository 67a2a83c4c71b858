"""Photometric redshifts of quasars from SDSS magnitudes and images (Zhang et al. 2023).

>>> import crossz
>>> net = crossz.load("sdss-dr5q")
>>> found = net.predict("quasars.csv")  # or a DataFrame, a table of astropy, a dict of arrays; images=array
>>> found.table["z_phot"]  # your columns, then ours
>>> found.pdf([0.5, 1.0])  # densities in z
>>> found.plot(0)  # of the first object

The networks sdss-dr5q and sdss-quasars come with crossz. The table has a row for each object, with columns psfMag_u ...
psfMag_z, psfMagErr_* and extinction_*. Networks of your own, from `snakemake results/bundle/baseline-crossmodal`, may read
dered_* (magnitudes, dereddened) in place of psfMag_* and extinction_*.

    load          a network that comes with crossz, or a bundle of your own; every byte is checked
    load_bundle   the same
    predict       the plain table of estimates, PDFs included: what net.predict is made of
    images_in     the images of a table's objects, out of cutout files
    map_catalog   redshifts of a HATS catalog of any size, by LSDB
    images_from   the images of a table's objects, out of an array
    read_table    a CSV, FITS, VOTable or Parquet table under the names that crossz uses
    Mixture       redshift PDFs as mixtures of Gaussians of ln(1 + z)
    CrosszError   an error that you can mend: its message says how
    BANDS         the order of the five bands in every array

The command `crossz` does the same from the shell; see `crossz --help`. The workflow that trains networks is run by Snakemake; see
README.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossz.apply.bundle import load, load_bundle
    from crossz.apply.hats import map_catalog
    from crossz.apply.predict import images_in, predict
    from crossz.apply.user_images import images_from
    from crossz.catalog.lists import read_table
    from crossz.core.constants import BANDS
    from crossz.core.errors import CrosszError
    from crossz.core.version import VERSION as __version__
    from crossz.estimates.pdf import Mixture

__all__ = [
    "BANDS",
    "CrosszError",
    "Mixture",
    "__version__",
    "images_from",
    "images_in",
    "load",
    "load_bundle",
    "map_catalog",
    "predict",
    "read_table",
]

_PLACES = {
    "BANDS": "core.constants",
    "CrosszError": "core.errors",
    "Mixture": "estimates.pdf",
    "images_from": "apply.user_images",
    "images_in": "apply.predict",
    "load": "apply.bundle",
    "load_bundle": "apply.bundle",
    "map_catalog": "apply.hats",
    "predict": "apply.predict",
    "read_table": "catalog.lists",
}


def __getattr__(name: str) -> object:
    # Names are loaded when they are asked for (PEP 562): the workflow and the archive need neither torch nor pandas.
    if name == "__version__":
        return import_module("crossz.core.version").VERSION
    if name in _PLACES:
        return getattr(import_module(f"crossz.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'crossz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
