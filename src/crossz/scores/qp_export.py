"""Redshift PDFs as an ensemble of `qp`, the format that RAIL reads, in HDF5.

The PDFs are stored as `interp`: p(z) on one evenly spaced grid of z for all objects. It is the only representation of qp
whose pdf, cdf, ppf, mean and mode are all right:

* `mixmod` has Gaussians in z, while ours are in ln(1 + z). It inverts its cdf on 201 points for the whole ensemble.
* `quant` has no quantiles in the gap between two peaks, and no mean.
* `interp_irregular` sums its cdf to first order only.
* The mean of `interp` is wrong on an uneven grid.

tests/unit/scores/test_qp_export.py measures what is lost.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of

if TYPE_CHECKING:
    import qp

log = logging.getLogger(__name__)

_TAIL = 1e-5  # probability of a PDF that may lie beyond either end of the grid
_FINEST, _COARSEST = 0.001, 0.01  # steps of z
_PER_SIGMA = 6  # steps in the sigma of a narrow peak; at most 0.06 / 6^2 of the cdf is lost
_ROW, _HEAD = 64, 1 << 16  # bytes of what stands beside p(z) for each object, and of the file's own structure, at most
_BLOCK = 250  # objects whose p(z) are in memory at once


def ensemble(table: pd.DataFrame, grid: np.ndarray | None = None) -> qp.Ensemble:
    """The PDFs of a table of predictions as a qp ensemble of p(z), with objID, z_spec, z_phot and subset beside them.

    Parameters
    ----------
    table
        Rows of a table of predictions.
    grid
        Evenly spaced redshifts [m]. The default is the `redshift_grid` of these PDFs.

    Raises
    ------
    CrosszError
        The table has point estimates only, or qp is not installed.

    References
    ----------
    Malz et al. (2018), AJ 156, 35: qp.
    """
    mixtures = _mixtures(table, "this table")
    grid = redshift_grid(mixtures) if grid is None else grid
    # float32 halves the file; qp would normalise in float64, and does so when it reads
    data = {"xvals": grid, "yvals": mean_density(mixtures, grid).astype(np.float32), "norm": False}
    ancil = {name: table[name].to_numpy() for name in ("objID", "z_spec", "z_phot")}
    ancil["subset"] = table["subset"].to_numpy().astype("S5")  # of text, HDF5 holds bytes; qp.read gives text again
    module = qp_module()
    return module.Ensemble(module.interp, data=data, ancil=ancil)


def redshift_grid(mixtures: Mixture) -> np.ndarray:
    """Evenly spaced redshifts [m] that hold all but 1e-5 of either tail of every PDF.

    The step divides 0.01. It is a sixth of the sigma of the narrowest peak, but the narrowest hundredth of the objects
    does not count: their peaks are blurred to a step, so that they do not enlarge the file of all objects.
    """
    low, high = pdf.interval(mixtures, 1 - 2 * _TAIL)
    width = np.where(mixtures.weight > 0.01, mixtures.sigma * np.exp(mixtures.mean), np.inf).min(1)
    step = np.clip(np.quantile(width, 0.01) / _PER_SIGMA, _FINEST, _COARSEST)
    step = 0.01 / np.ceil(0.01 / step - 1e-9)
    return step * np.arange(np.floor(low.min() / step), np.ceil(high.max() / step) + 1)


def mean_density(mixtures: Mixture, grid: np.ndarray) -> np.ndarray:
    """p(z) [n, m] of PDFs on an even grid, averaged over a step about each point: no peak falls between two points."""
    step = (grid[-1] - grid[0]) / (len(grid) - 1)
    edges = np.append(grid - step / 2, grid[-1] + step / 2)
    y = np.log1p(np.maximum(edges, -1 + 1e-12))
    return np.diff(pdf.cdf(mixtures, np.tile(y, (len(mixtures.weight), 1))), axis=1) / step


def write_qp(*, predictions: str | Path, hdf5: str | Path) -> None:
    """Write the PDFs of a table of predictions as an HDF5 file for qp.read; equal tables give equal bytes.

    Parameters
    ----------
    predictions
        Path of a table of predictions.
    hdf5
        Path of the file to write.

    Raises
    ------
    CrosszError
        The table has point estimates only, or qp is not installed.
    """
    table = pq.read_table(predictions).to_pandas()
    grid = redshift_grid(_mixtures(table, str(predictions)))
    with atomic_path(hdf5) as temporary:
        require_room(temporary, len(table), len(grid))
        for start in range(0, len(table), _BLOCK):
            block = ensemble(table[start : start + _BLOCK], grid)
            if not start:
                groups, file = block.initializeHdf5Write(str(temporary), len(table))
            block.writeHdf5Chunk(groups, start, start + len(block))
        block.finalizeHdf5Write(file)
    log.info(f"{len(table)} PDFs on {len(grid)} points of z, {grid[0]:.3f} to {grid[-1]:.3f}")


def require_room(path: Path, rows: int, points: int) -> None:
    """Check that p(z) [rows, points] fits on the disk of `path`: HDF5 crashes the interpreter where a disk is full.

    Raises
    ------
    OSError
        It does not.
    """
    needed = rows * (points * np.dtype(np.float32).itemsize + _ROW) + _HEAD
    if shutil.disk_usage(path.parent).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # `atomic_path` names the file


def _mixtures(table: pd.DataFrame, about: str) -> Mixture:
    if (mixtures := mixtures_of(table)) is None:
        raise CrosszError(f"{about}: no PDFs, redshifts alone; a network has PDFs with crossmodal.head: mixture")
    return mixtures


def qp_module() -> ModuleType:
    """The package qp, imported where it is needed: that takes two seconds. Raises CrosszError if it is not installed."""
    try:
        import qp
    except ImportError as error:
        raise CrosszError(
            f"PDFs are exported by the package qp, which cannot be imported ({error}): pip install qp-prob"
        ) from error
    return qp
