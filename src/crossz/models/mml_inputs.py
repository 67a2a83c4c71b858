"""What the networks of PhotoRedshift-MML read: spectra and photometry of the objects of one split, and their scaling."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from crossz.core.constants import OK
from crossz.core.errors import CrosszError
from crossz.images.arrow import read_arrays
from crossz.models import features as ft
from crossz.models.mml import POOL

_BLOCK = 4096  # spectra in memory at once


@dataclass(frozen=True)
class Spectra:
    """Spectra of n objects. By rows [m] int64 they are as network A reads them: [m, 2, p] float16, flux and share of good pixels.

    To hold all of them so would take a third more memory.
    """

    flux: torch.Tensor
    """[n, p] float16: asinh of the flux in units of its median (images.spectra); 0 without a usable spectrum."""
    good: torch.Tensor
    """[n, p] uint8: how many of the POOL pixels in one are good."""

    def __len__(self) -> int:
        return len(self.flux)

    def __getitem__(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.flux[rows], self.good[rows].half() / POOL], 1)


def load_spectra(paths: Sequence[str | Path], objID: np.ndarray) -> tuple[Spectra, np.ndarray]:
    """Spectra of objects, averaged over POOL pixels of their files.

    Parameters
    ----------
    paths
        Files that spectra.write_spectra wrote.
    objID
        Objects [n].

    Returns
    -------
    tuple
        Spectra of 450 pixels. Whether each object has a usable spectrum [n] bool.

    Raises
    ------
    CrosszError
        The files hold no object.
    """
    shape, there = (len(objID), 0), np.zeros(len(objID), bool)
    flux, good = np.zeros(shape, np.float16), np.zeros(shape, np.uint8)
    for path in paths:
        columns: dict[str, Any] = dict(read_arrays(path))
        order = np.argsort(columns["objID"])
        known = columns["objID"][order]
        if not len(known):
            continue
        place = np.minimum(np.searchsorted(known, objID), len(known) - 1)
        here = np.flatnonzero((known[place] == objID) & (columns["status"][order[place]] == OK))
        source = order[place[here]]
        there[here] = True
        if not shape[1]:
            shape = (len(objID), columns["flux"].shape[1] // POOL)
            flux, good = np.zeros(shape, np.float16), np.zeros(shape, np.uint8)
        for start in range(0, len(here), _BLOCK):
            block = slice(start, start + _BLOCK)
            pixels = columns["flux"][source[block]].astype(np.float32)
            flux[here[block]] = np.arcsinh(pixels.reshape(len(pixels), -1, POOL).mean(2))
            ok = np.unpackbits(columns["ok"][source[block]], axis=1)
            good[here[block]] = ok.reshape(len(ok), -1, POOL).sum(2)
    if not shape[1]:
        raise CrosszError("there is no object in the spectra of this run; rerun -R spectra")
    return Spectra(torch.from_numpy(flux), torch.from_numpy(good)), there


class Range(NamedTuple):
    """What scales the photometric inputs, each list [15]."""

    low: list[float]
    middle: list[float]
    high: list[float]


def photometric_inputs(rows: pd.DataFrame, magnitudes: str) -> np.ndarray:
    """The photometric inputs: 5 magnitudes, u-g, g-r, r-i, i-z, u-z, and log10 of 5 errors.

    Errors are logarithmic as in all our models: a single large error would otherwise set the scale of all.

    Parameters
    ----------
    rows
        Catalog rows [n].
    magnitudes
        Kind of magnitudes: dered_model or psf.

    Returns
    -------
    np.ndarray
        Inputs [n, 15], NaN where missing.
    """
    phot = ft.photometry(rows, magnitudes)
    return np.concatenate([phot.mag, phot.colour, phot.mag[:, :1] - phot.mag[:, 4:], np.log10(phot.err)], axis=1)


def fit_range(values: np.ndarray) -> Range:
    """The range of each input [n, 15], and the median that stands for a missing value.

    Low and high leave out a thousandth of the values at each end, so that no outlier sets the scale of all.
    """
    filled = np.where(np.isfinite(values).any(axis=0), values, 0.0)
    low, middle, high = np.nanpercentile(filled, [0.1, 50, 99.9], axis=0)
    return Range(low.tolist(), middle.tolist(), np.maximum(high, low + 1e-6).tolist())


def apply_range(scaler: Range, values: np.ndarray) -> torch.Tensor:
    """Inputs [n, 15] float32 from -1 (low of the training part) to 1 (high), of values [n, 15]."""
    low, middle, high = (np.asarray(part) for part in scaler)
    filled = np.where(np.isfinite(values), values, middle)
    return torch.from_numpy(np.clip(2 * (filled - low) / (high - low) - 1, -1, 1).astype(np.float32))
