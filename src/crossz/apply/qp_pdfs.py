"""The PDFs of a table of new objects as an HDF5 file for qp, beside the table: crossz predict --pdf qp."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from crossz.apply.pdf_columns import GRID
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of
from crossz.scores.qp_export import mean_density, qp_module, require_room

Write = Callable[[pd.DataFrame], None]
"""Writes the PDFs of the next rows of what `predict` gave."""


@contextlib.contextmanager
def opened(path: Path, count: int) -> Iterator[Write]:
    """What writes an ensemble of `count` rows, those of the table in their order: p(z) at z = 0 to 7 in steps of 0.01.

    Beside the PDFs stands `known`: 0 where a row has no estimate, and then its p(z) is flat.

    Raises
    ------
    CrosszError
        qp is not installed, or the networks have no PDFs.
    OSError
        The disk has no room for it.
    """
    module, done = qp_module(), 0
    with atomic_path(path) as temporary, contextlib.ExitStack() as stack:
        require_room(temporary, count, len(GRID))
        groups = None

        def write(found: pd.DataFrame) -> None:
            nonlocal groups, done
            mixtures = mixtures_of(found)
            if mixtures is None:
                raise CrosszError("--pdf qp: this network has no PDFs")
            known = np.isfinite(mixtures.mean).all(1)
            p = np.full((len(found), len(GRID)), 1 / (GRID[-1] - GRID[0]), np.float32)
            p[known] = mean_density(Mixture(*(part[known] for part in mixtures)), GRID)
            data = {"xvals": GRID, "yvals": p, "norm": False}
            block = module.Ensemble(module.interp, data=data, ancil={"known": known.astype(np.int8)})
            if groups is None:
                groups, file = block.initializeHdf5Write(str(temporary), count)
                stack.callback(block.finalizeHdf5Write, file)
            block.writeHdf5Chunk(groups, done, done + len(found))
            done += len(found)

        yield write
