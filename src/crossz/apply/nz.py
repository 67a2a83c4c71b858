"""n(z) of a table of estimates: the mean of the PDFs in tomographic bins, with bootstrap errors."""

import logging
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from crossz.apply.answer import OURS, PREFIX, frame_of
from crossz.apply.classes import QUASAR
from crossz.apply.foreign_estimates import check_types, check_values, read_whole, warning_in
from crossz.apply.output_columns import described
from crossz.apply.pdf_columns import GRID
from crossz.core.constants import OK
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of
from crossz.report.style import COLOURS, STYLE, plt, save
from crossz.scores.qp_export import mean_density, qp_module

log = logging.getLogger(__name__)

RESAMPLES = 200
"""Of the bootstrap."""
_MOST_BINS = 100  # each has all of the resampled n(z) in memory, and a line in the plot
_AT_ONCE = 2048  # objects whose densities are in memory


class Stack(NamedTuple):
    """n(z) of one bin, on `pdf_columns.GRID`."""

    name: str
    objects: int
    p: np.ndarray
    """[701] density of z; its integral is 1."""
    error: np.ndarray
    """[701] standard deviation of p over the resamples."""
    quasars: float
    """Sum of the probabilities that the objects are quasars; `objects` without classes."""


def write_nz(table: str | Path, out: str | Path, edges: Sequence[float] = (), qp: bool = False) -> list[Path]:
    """Write n(z) as CSV, a plot of it beside as PNG, and for qp as HDF5.

    Parameters
    ----------
    table
        A table of estimates, in any of its formats, or the folder of them.
    out
        The CSV: bin, objects, z, p, p_error.
    edges
        Of the tomographic bins, by z_phot, increasing. Without them, there is the bin "all" alone.
    qp
        Whether an ensemble for qp is written too: a row a bin.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    CrosszError
        The table has no PDFs or was changed, the edges do not increase or are too many, or qp is not installed.
    """
    out = Path(out)
    if out.suffix != ".csv":
        raise CrosszError(f"{out}: n(z) is written as .csv, and its plot as .png beside it; end its name so")
    if any(not low < high for low, high in pairwise(edges)) or len(edges) == 1:
        raise CrosszError(f"--bins {' '.join(f'{edge:g}' for edge in edges)}: say at least two edges that increase")
    if len(edges) - 1 > _MOST_BINS:
        raise CrosszError(f"--bins: {len(edges) - 1} bins, more than {_MOST_BINS}; say fewer edges")
    if out.resolve() == Path(table).resolve():
        raise CrosszError(f"{out}: this is the table of estimates; give n(z) another name")
    if qp:
        qp_module()
    found, warning = read_estimates(table)
    if warning:
        log.warning(warning)
    stacks = stacked(found, edges, str(table))
    written = [out, out.with_suffix(".png")]
    _write_csv(stacks, out)
    _plot(stacks, written[1], warning)
    if qp:
        written.append(out.with_suffix(".hdf5"))
        _write_qp(stacks, written[2])
    return written


def read_estimates(path: str | Path) -> tuple[pd.DataFrame, str]:
    """Our columns of a table of estimates, under our names, and the warning in its header.

    Raises
    ------
    CrosszError
        It cannot be read, is no table of estimates, or holds what is no estimate.
    """
    table = read_whole(path)
    if not any(OURS in (field.metadata or {}) for field in table.schema):
        table = _marked(table)
    check_types(path, table)
    found = frame_of(table)
    if "status" not in found:
        raise CrosszError(f"{path}: no table of estimates: it has no column status; `crossz predict` makes one")
    check_values(path, found)
    return found, warning_in(path, table.schema)


def _marked(table: pa.Table) -> pa.Table:
    """A table that does not say which columns are ours: those that have the name of one. Of two, it is the last."""
    last = {}
    for place, name in enumerate(table.column_names):
        ours = name.removeprefix(PREFIX)
        try:
            last[ours] = (place, described(ours)[1].kind)
        except KeyError:
            continue
    columns, fields = list(table.columns), list(table.schema)
    for ours, (place, kind) in last.items():
        text = pa.types.is_string(columns[place].type) or pa.types.is_large_string(columns[place].type)
        if text and pa.types.is_floating(kind):
            numbers = pd.to_numeric(columns[place].to_pandas(), errors="coerce").to_numpy(float)
            columns[place] = pa.chunked_array([pa.array(numbers)])
        fields[place] = pa.field(fields[place].name, columns[place].type, metadata={OURS: ours.encode()})
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def stacked(found: pd.DataFrame, edges: Sequence[float] = (), source: str = "the table") -> list[Stack]:
    """n(z) of all objects with a PDF, and of those in each bin of z_phot, low <= z_phot < high.

    Where there are classes, a PDF is p(z | quasar), and counts as often as its object is a quasar: n(z) is the sum of
    p_QSO p(z). An object without a class counts once.

    The bootstrap draws objects, each as often as a Poisson number of mean 1 says, so that one pass is enough.

    Parameters
    ----------
    found
        Our columns of a table of estimates.
    edges
        Of the bins.
    source
        The table, for messages.

    Raises
    ------
    CrosszError
        There are no PDFs.
    """
    mixtures = mixtures_of(found)
    if mixtures is None:
        raise CrosszError(f"{source}: no PDFs; n(z) needs a table that was written with --pdf mixture")
    known = (found["status"].to_numpy(str) == OK) & np.isfinite(mixtures.mean).all(1)
    mixtures, z = Mixture(*(part[known] for part in mixtures)), found["z_phot"].to_numpy(float)[known]
    weight = _quasars(found)[known]
    if not len(z):
        raise CrosszError(f"{source}: no object with an estimate")
    if not weight.any():
        raise CrosszError(f"{source}: no object that may be a quasar, by p_{QUASAR}")
    bins = [("all", -np.inf, np.inf)] + [(f"{low:g}-{high:g}", low, high) for low, high in pairwise(edges)]
    random = np.random.default_rng(0)
    total, resampled = np.zeros((len(bins), len(GRID))), np.zeros((len(bins), RESAMPLES, len(GRID)))
    for start in range(0, len(z), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        p = weight[rows, None] * mean_density(Mixture(*(part[rows] for part in mixtures)), GRID)
        times = random.poisson(1.0, (RESAMPLES, len(p))).astype(float)
        for number, (_, low, high) in enumerate(bins):
            here = (z[rows] >= low) & (z[rows] < high)
            total[number] += p[here].sum(0)
            resampled[number] += times[:, here] @ p[here]
    members = [(z >= low) & (z < high) for _, low, high in bins]
    return [
        Stack(name, int(here.sum()), _normal(p), _normal(drawn).std(0, ddof=1), float(weight[here].sum()))
        for (name, _, _), here, p, drawn in zip(bins, members, total, resampled, strict=True)
    ]


def _quasars(found: pd.DataFrame) -> np.ndarray:
    """The probability [n] that each object is a quasar; 1 where no class was estimated."""
    if f"p_{QUASAR}" not in found:
        return np.ones(len(found))
    p = found[f"p_{QUASAR}"].to_numpy(float)
    return np.where(np.isfinite(p), p, 1.0)


def _normal(p: np.ndarray) -> np.ndarray:
    """Densities [..., 701] whose integrals are 1; 0 where there are no objects."""
    area = p.sum(-1, keepdims=True) * (GRID[1] - GRID[0])
    return np.divide(p, area, out=np.zeros_like(p), where=area > 0)


def _write_csv(stacks: Sequence[Stack], path: Path) -> None:
    parts = [
        pd.DataFrame({"bin": stack.name, "objects": stack.objects, "z": GRID, "p": stack.p, "p_error": stack.error})
        for stack in stacks
    ]
    with atomic_path(path) as temporary:
        pd.concat(parts).to_csv(temporary, index=False, float_format="%.6g")


def _plot(stacks: Sequence[Stack], path: Path, warning: str) -> None:
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(5.4, 3.2))
        bins = stacks[1:] or stacks
        for number, stack in enumerate(bins):
            colour = COLOURS[number % len(COLOURS)]
            share = stack.quasars / stacks[0].quasars if stacks[0].quasars else 0.0
            low, high = (share * (stack.p + sign * stack.error) for sign in (-1, 1))
            axes.fill_between(GRID, low, high, color=colour, alpha=0.3, lw=0)
            axes.plot(GRID, share * stack.p, color=colour, label=f"{stack.name}: {stack.objects:,}")
        if len(stacks) > 1:
            axes.plot(GRID, stacks[0].p, color="0.4", lw=0.8, ls="--", label=f"all: {stacks[0].objects:,}")
        seen = GRID[stacks[0].p > 1e-3 * stacks[0].p.max()]
        axes.set(xlabel="redshift", ylabel="n(z), integral of all = 1", xlim=seen[[0, -1]], ylim=(0, None))
        axes.legend(title="z_phot: objects" if len(stacks) > 1 else "objects", fontsize=8)
        if warning:
            axes.set_title("synthetic network", color="red")
    save(figure, [path])


def _write_qp(stacks: Sequence[Stack], path: Path) -> None:
    module = qp_module()
    some = [stack for stack in stacks if stack.objects]
    ancil = {"bin": np.array([stack.name for stack in some], "S32"), "objects": np.array([s.objects for s in some])}
    ancil["p_error"] = np.stack([stack.error for stack in some])
    data = {"xvals": GRID, "yvals": np.stack([stack.p for stack in some])}
    with atomic_path(path) as temporary:
        module.Ensemble(module.interp, data=data, ancil=ancil).write_to(str(temporary.with_suffix(".hdf5")))
        if temporary.suffix != ".hdf5":
            temporary.with_suffix(".hdf5").replace(temporary)
