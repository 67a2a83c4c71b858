"""Estimates in Python: `bundle.predict(table)` gives the user's table with our columns, PDFs in z, and plots of them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from crossz.apply.answer import counted, finished, header_of, summary
from crossz.apply.bundle import Bundle
from crossz.apply.predict import Images, predict
from crossz.apply.user_images import images_from
from crossz.catalog.columns import with_extra
from crossz.catalog.lists import check_needed, note_missing, reading, renamed
from crossz.catalog.naming import unknown
from crossz.catalog.readers import fields_of, of_astropy, read_all
from crossz.core.constants import OK
from crossz.core.errors import CrosszError
from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

log = logging.getLogger(__name__)

_TABLE = "the table"  # its name in messages
_KINDS = "a DataFrame, a table of astropy or pyarrow, a dict of arrays, a structured array, or the path of a file"
_TAIL = 1e-3  # of the probability, on either side of what is plotted
_COLOUR = "#0072B2"


class Found:
    """What `Bundle.predict` found of n objects.

    Attributes
    ----------
    table : pandas.DataFrame
        [n] all columns of the given table, and ours behind them (docs/method.md), with the index of a given DataFrame.
        `table.attrs` says what network it was, on what it was trained, and how good it is.
    """

    def __init__(self, table: pd.DataFrame, estimates: pd.DataFrame):
        self.table = table
        self._estimates = estimates.reset_index(drop=True)
        self._mixtures = mixtures_of(estimates)

    def __len__(self) -> int:
        return len(self._estimates)

    def __repr__(self) -> str:
        return f"<Found {summary(counted(self._estimates))}>"

    def pdf(self, z: Sequence[float] | np.ndarray) -> np.ndarray:
        """Probability densities p(z) of all objects, per unit of redshift.

        Parameters
        ----------
        z
            [m] redshifts above -1.

        Returns
        -------
        np.ndarray
            [n, m]; NaN of an object without an estimate.

        Raises
        ------
        CrosszError
            The network has no PDFs, or `z` is something else.
        """
        points = np.asarray(z, float)
        if points.ndim != 1 or not (points > -1).all():
            raise CrosszError("pdf: z must be a list of redshifts")
        y = np.log1p(points)
        mixtures, density = self._known_mixtures(), np.empty((len(self), len(points)))
        for rows, block in pdf.blocks(mixtures):
            density[rows] = pdf.density(block, np.tile(y, (len(block.weight), 1))) / (1 + points)
        return density

    def plot(self, row: int, axes: "Axes | None" = None) -> "Axes":
        """Draw p(z) of one object: its peaks with their probabilities, z_phot, and the interval of 68 %.

        Parameters
        ----------
        row
            Its place in the table; the first is 0.
        axes
            Where to draw; default: a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            Where it was drawn.

        Raises
        ------
        CrosszError
            There is no such row, it has no estimate, or the network has no PDFs.
        """
        if not 0 <= row < len(self):
            raise CrosszError(f"plot: no row {row}; the table has {len(self):,}, and the first is 0")
        found, mixtures = self._estimates.iloc[row], self._known_mixtures()
        if found["status"] != OK:
            raise CrosszError(f"plot: row {row} has no estimate: {found['status']}")
        z = _points(Mixture(*(part[row : row + 1] for part in mixtures)))
        p = self._rows(slice(row, row + 1)).pdf(z)[0]
        if axes is None:
            import matplotlib.pyplot as plt  # the reader's own backend and style

            axes = plt.subplots()[1]
        inside = (z >= found["z_low_68"]) & (z <= found["z_high_68"])
        axes.fill_between(z, p, where=inside, color=_COLOUR, alpha=0.25, lw=0, label="68 %")
        axes.plot(z, p, color=_COLOUR)
        axes.axvline(found["z_phot"], color="0.4", ls="--", lw=1, label=f"z_phot {found['z_phot']:.3f}")
        for k in (1, 2):
            place, share = found[f"z_peak_{k}"], found[f"p_peak_{k}"]
            if share > 0.01:
                top = np.interp(place, z, p)
                axes.annotate(
                    f"{place:.3f} ({share:.0%})", (place, top), (0, 3), textcoords="offset points", ha="center"
                )
        axes.set(xlabel="redshift", ylabel="p(z)", xlim=(z[0], z[-1]), ylim=(0, 1.15 * p.max()))
        axes.legend(frameon=False)
        return axes

    def _rows(self, rows: slice) -> "Found":
        return Found(self.table.iloc[rows], self._estimates.iloc[rows])

    def _known_mixtures(self) -> Mixture:
        if self._mixtures is None:
            raise CrosszError("this network gives no PDFs, but points or classes: see the columns of table")
        return self._mixtures


def estimated(
    bundle: Bundle,
    table: Any,
    images: np.ndarray | Images | None = None,
    columns: Mapping[str, str] | None = None,
    units: str | None = None,
) -> Found:
    """What `Bundle.predict` says."""
    given = arrow_of(table)
    if isinstance(images, np.ndarray):
        images = images_from(images)
    elif not isinstance(images, Images | None):
        raise CrosszError(f"images are an array, or what images_in gave, not {type(images).__name__}")
    if images is not None and len(images.row) != len(given):
        raise CrosszError(f"{len(images.row):,} images for a table of {len(given):,} rows: wanted one a row")
    extra_columns = bundle.splits[0].info.columns
    if wrong := [problem for ours in columns or {} if (problem := unknown(ours, with_extra(extra_columns)))]:
        raise CrosszError(f"columns: {wrong[0]}")
    how = reading(fields_of(given.schema), _TABLE, columns, extra_columns, units)
    check_needed(how, bundle.columns if images is None else [])
    known = renamed(given, how)
    note_missing(given, how)
    found = predict(known, bundle, images)
    header = header_of(bundle.facts, None)
    if "warning" in header:
        log.warning(header["warning"])
    whole = _frame(finished(given, how.columns, found, header, pdf="none"))
    if isinstance(table, pd.DataFrame):  # its own columns as they were
        ours = whole.iloc[:, table.shape[1] :].set_axis(table.index)
        whole = pd.concat([table, ours], axis=1)
    whole.attrs.update(header)
    return Found(whole, found)


def arrow_of(table: Any) -> pa.Table:
    """A table of Arrow with the columns of any kind of table.

    Raises
    ------
    CrosszError
        It is no table, has no rows, or its columns differ in length.
    """
    if isinstance(table, str | Path):
        return read_all(table)
    if isinstance(table, pa.Table):
        given = table
    elif hasattr(table, "colnames"):  # of astropy, which takes a second to import
        given = of_astropy(table.copy())
    else:
        given = _of_columns(_columns_of(table))
    if not len(given):
        raise CrosszError(f"{_TABLE} has no rows")
    plain = [_plain(column) for column in given.columns]
    fields = [field.with_type(one.type) for field, one in zip(given.schema, plain, strict=True)]
    return pa.Table.from_arrays(plain, schema=pa.schema(fields))


def _columns_of(table: Any) -> list[tuple[str, Any]]:
    """Names and values of the columns."""
    if isinstance(table, pd.DataFrame):
        return [(str(name), table.iloc[:, place]) for place, name in enumerate(table.columns)]
    if isinstance(table, Mapping):
        return [(str(name), values) for name, values in table.items()]
    if isinstance(table, np.ndarray) and table.dtype.names:
        return [(name, table[name]) for name in table.dtype.names]
    raise CrosszError(f"not a table but {type(table).__name__}: wanted {_KINDS}")


def _of_columns(columns: Sequence[tuple[str, Any]]) -> pa.Table:
    arrays = [_array(values) for _, values in columns]
    if len(lengths := {len(array) for array in arrays}) > 1:
        raise CrosszError(f"{_TABLE} has columns of different lengths: {', '.join(map(str, sorted(lengths)))}")
    return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])


def _array(values: Any) -> pa.Array:
    """A column; of values that Arrow has no type for, their text."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
        values = values.astype(values.dtype.newbyteorder("="))  # FITS has the other order
    if not hasattr(values, "__len__") or isinstance(values, str):
        raise CrosszError(f"{_TABLE} has a column that is {type(values).__name__}, not an array")
    try:
        array = pa.array(list(values) if np.ndim(values) > 1 else values, from_pandas=True)
    except (pa.ArrowException, ValueError):
        array = pa.array([None if value is None else str(value) for value in values], pa.string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """All text as strings of one kind."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    other = pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type)
    return column.cast(pa.string()) if other else column


def _frame(table: pa.Table) -> pd.DataFrame:
    """The table as a DataFrame; integers with gaps stay integers."""
    gaps = [name for name, column in zip(table.column_names, table.columns, strict=True) if column.null_count]
    frame = table.to_pandas()
    for name in gaps:
        if pa.types.is_integer(table[name].type):
            frame[name] = table[name].to_pandas(types_mapper={table[name].type: pd.Int64Dtype()}.get)
    return frame


def _points(mixture: Mixture) -> np.ndarray:
    """Redshifts at which a PDF is drawn: no peak falls between two of them."""
    low, high = pdf.quantiles(mixture, [_TAIL, 1 - _TAIL])[0]
    about = mixture.mean[0, :, None] + mixture.sigma[0, :, None] * np.linspace(-4, 4, 33)
    y = np.concatenate([np.linspace(low, high, 400), about.ravel()])
    return np.expm1(np.unique(y[(y >= low) & (y <= high)]))
