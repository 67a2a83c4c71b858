"""What the models see of a catalog row and of an image, and scalers fitted on the training part alone."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError

_FAINTEST = 50.0  # mag: what lies beyond is a mark for a missing value, such as 99.99
_LARGEST_ERROR = 9.9  # mag: errors from here on are such marks, too; SDSS has some of 9.4
_REFERENCE = [BANDS.index(band) for band in "rigzu"]  # bands that fluxes are divided by, the first that there is
_FARTHEST = 10.0  # mag between two bands of an object: no flux of any number, however wrong, is infinite
_BEYOND = 1e30  # no unit makes a measurement so large; sums of squares of such numbers are infinite
_CLIP = 6.0  # scaled values beyond this say "out of domain" and nothing more


_KINDS = {kind: (name, "psfMagErr", "extinction") for kind, name in (("dered_model", "dered"), ("psf", "psfMag"))}


def photometry_columns(magnitudes: str) -> list[str]:
    """The columns of a catalog that `photometry` reads."""
    return [f"{kind}_{band}" for kind in _KINDS[magnitudes] for band in BANDS]


class Photometry(NamedTuple):
    """Photometry of n objects, NaN where missing."""

    mag: np.ndarray
    """[n, 5] dereddened magnitudes."""
    err: np.ndarray
    """[n, 5] their errors, mag."""
    colour: np.ndarray
    """[n, 4] u-g, g-r, r-i, i-z."""
    missing: np.ndarray
    """[n, 5] bool."""
    extinction: np.ndarray
    """[n, 5] mag."""
    extra: np.ndarray
    """[n, k] values of extra columns."""


def photometry(
    catalog: pd.DataFrame, magnitudes: str, columns: Sequence[str] = (), complete: bool = True
) -> Photometry:
    """Photometry of the rows of `catalog`, in their order.

    A magnitude is missing unless it lies between 0 and 50 and its error between 0 and 9.9, both without their ends. So
    NULL, NaN, infinity, -9999, 0 and 99.99 mark a missing one. An extinction is missing if it is not finite, negative or
    beyond 50.

    Parameters
    ----------
    catalog
        n rows.
    magnitudes
        "dered_model": dered_*, the paper's; "psf": psfMag_* - extinction_*, right for point sources.
    columns
        k extra columns of the catalog that the models see; NULL, NaN, -9999 and what is below, and 1e30 and what is
        above are missing there.
    complete
        Whether each magnitude needs a value somewhere.

    Raises
    ------
    CrosszError
        A column is absent or, if `complete`, one of the magnitudes holds no value at all.

    References
    ----------
    Zhang et al. (2023), section 2.3.
    """
    mag, err, extinction = (_columns(catalog, kind, magnitudes, complete) for kind in _KINDS[magnitudes])
    extinction = np.where((extinction >= 0) & (extinction < _FAINTEST), extinction, np.nan)
    missing = ~((mag > 0) & (mag < _FAINTEST) & (err > 0) & (err < _LARGEST_ERROR))
    if magnitudes == "psf":
        mag = mag - extinction
        missing |= np.isnan(mag)
    mag = np.where(missing, np.nan, mag)
    colour = mag[:, :-1] - mag[:, 1:]
    return Photometry(mag, np.where(missing, np.nan, err), colour, missing, extinction, _extra(catalog, columns))


def _extra(catalog: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    if absent := [name for name in columns if name not in catalog]:
        raise CrosszError(f"column {', '.join(absent)} of photometry.columns is not there")
    values = catalog[list(columns)].to_numpy(float)
    return np.where((values > -9999) & (values < _BEYOND), values, np.nan)


def _columns(catalog: pd.DataFrame, kind: str, magnitudes: str, complete: bool) -> np.ndarray:
    names = [f"{kind}_{band}" for band in BANDS]
    empty = [name for name in names if name not in catalog or (complete and catalog[name].isna().all())]
    if empty:
        other = "psf" if magnitudes == "dered_model" else "dered_model"
        remedy = f"; set photometry.magnitudes: {other}" if kind in ("dered", "psfMag") else ""
        raise CrosszError(f"the catalog has no values in {', '.join(empty)}{remedy}")
    return catalog[names].to_numpy(float)


def tokens(phot: Photometry, features: str = "colours") -> tuple[np.ndarray, np.ndarray]:
    """Unscaled inputs of the photometry encoder.

    Parameters
    ----------
    phot
        Of n objects.
    features
        "colours": those of the paper. "fluxes": `relative_fluxes`, too.

    Returns
    -------
    x_mag
        [n, 5, 3] magnitude, log10 of its error, and whether it is missing. The paper has m = 2 features a band; the third
        is there because a missing magnitude must not look like a value.
    x_colour
        [n, `colour_count`] colours, relative fluxes, k extra columns, and whether each of these is missing.
    """
    x_mag = np.stack([phot.mag, np.log10(phot.err), phot.missing.astype(float)], axis=2)
    fluxes = [relative_fluxes(phot)] if features == "fluxes" else []
    return x_mag, np.concatenate([phot.colour, *fluxes, phot.extra, np.isnan(phot.extra)], axis=1)


def colour_count(features: str, columns: int) -> int:
    """Length of X_colour in `tokens`, with so many extra `columns`."""
    return len(BANDS) - 1 + (2 * len(BANDS) if features == "fluxes" else 0) + 2 * columns


def relative_fluxes(phot: Photometry) -> np.ndarray:
    """Fluxes over the flux in r, and their errors: what is linear in photons, where a faint band is nearly 0 and no large number.

    An object without r is measured by the first of i, g, z, u that it has.

    Returns
    -------
    np.ndarray
        [n, 10] arsinh of f / f_r in each band, then log10 of the error of f / f_r; NaN where the band is missing.
    """
    reference = phot.mag[:, _REFERENCE[0]]
    for band in _REFERENCE[1:]:
        reference = np.where(np.isnan(reference), phot.mag[:, band], reference)
    fainter = np.clip(phot.mag - reference[:, None], -_FARTHEST, _FARTHEST)
    flux_error = np.log10(phot.err * np.log(10) / 2.5)
    return np.concatenate([np.arcsinh(10 ** (-0.4 * fainter)), flux_error - 0.4 * fainter], axis=1)


def flat(phot: Photometry) -> np.ndarray:
    """Features [n, 14 + k] of the photometry-only references: magnitudes, colours, log10 errors, extra columns; NaN where missing."""
    return np.concatenate([phot.mag, phot.colour, np.log10(phot.err), phot.extra], axis=1)


def with_relative_fluxes(features: np.ndarray) -> np.ndarray:
    """`features` [n, 14 + k] with arsinh of each band's flux over that in r [n, 5] behind them.

    The cuts of ExtraTrees are random, and even in flux they part faint bands better than even in magnitude.
    """
    mag = features[:, : len(BANDS)]
    apart = np.clip(mag - mag[:, [BANDS.index("r")]], -_FARTHEST, _FARTHEST)
    return np.concatenate([features, np.arcsinh(10 ** (-0.4 * apart))], axis=1)


def of_trees(phot: Photometry) -> np.ndarray:
    """Features [n, 19 + k] of the trees of a stack (`estimates.forest`): `flat`, then relative fluxes."""
    return with_relative_fluxes(flat(phot))


def tree_features(columns: int) -> int:
    """Number of features in `of_trees`, with so many extra `columns`."""
    return 4 * len(BANDS) - 1 + columns


def fit_scaler(values: np.ndarray) -> dict[str, list]:
    """Median and robust width (16-84 percentile half-range) of each feature over the first axis, NaN left aside.

    A feature without spread (an indicator that never varies, a column that is all missing) gets width 1.
    """
    counted = np.isfinite(values).any(axis=0)
    filled = np.where(counted, values, 0.0)
    low, middle, high = np.nanpercentile(filled, [16, 50, 84], axis=0)
    width = (high - low) / 2
    return {"centre": middle.tolist(), "width": np.where(width > 1e-6, width, 1.0).tolist()}


def apply_scaler(scaler: dict[str, list], values: np.ndarray) -> np.ndarray:
    """Scaled float32 values, 0 where missing, clipped to +-6 widths."""
    scaled = (values - np.asarray(scaler["centre"])) / np.asarray(scaler["width"])
    return np.clip(np.nan_to_num(scaled, nan=0.0), -_CLIP, _CLIP).astype(np.float32)


def out_of_domain(scaler: dict[str, list], values: np.ndarray) -> np.ndarray:
    """Whether [n] any feature of an object lies where `apply_scaler` cuts it: the models have seen nothing like it."""
    scaled = (values - np.asarray(scaler["centre"])) / np.asarray(scaler["width"])
    return (np.abs(np.nan_to_num(scaled, nan=0.0)) > _CLIP).reshape(len(values), -1).any(1)


def sky_noise(images: np.ndarray, masks: np.ndarray) -> list[float]:
    """Sigma of the sky in each band of training images [n, 5, y, x] in store units; masks [n, y, x] uint8.

    1.4826 times the median absolute pixel, as sources cover few pixels: the softening of the images' asinh stretch.
    """
    sigma = []
    for band in range(images.shape[1]):
        pixels = images[:, band][(masks >> band & 1) == 0].astype(np.float32)
        sigma.append(max(1.4826 * float(np.median(np.abs(pixels))), 1e-6) if pixels.size else 1.0)
    return sigma
