"""Pictures of single objects: their images and redshift PDFs, for good estimates and for the worst."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from crossz.estimates import pdf
from crossz.estimates.estimates import dz
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of, read_predictions
from crossz.images.arrow import to_nmgy
from crossz.images.colour import NO_DATA, rgb
from crossz.images.store import ImageStore
from crossz.report.style import COLOURS, STYLE, plt, save

COUNT = 6
"""Objects in each row of the gallery: of the best and of the worst."""
_SHARE = 0.1  # of the objects, by |dz|: the best are chosen from these
_BAR, _BAR_LABEL = 12.6, '5"'  # length of the scale bar in pixels, and its label
_HEADINGS = ("of the best tenth by |Δz|, spread over redshift", "the largest |Δz|, the worst first")
_TOPS = (0.94, 0.495)  # of the halves of the gallery, as shares of its height


class Chosen(NamedTuple):
    """Row numbers [k] of a table of predictions."""

    best: np.ndarray
    worst: np.ndarray


def choose(z_spec: np.ndarray, z_phot: np.ndarray, group: np.ndarray, count: int = COUNT) -> Chosen:
    """Choose `count` of the best tenth by |dz|, evenly placed in their order of z_spec, and the `count` worst.

    The smallest |dz| of hundreds are luck. Those of the best tenth are all good, and can be chosen to differ in
    redshift. Of a few objects fewer are chosen, and none twice. Of a group, which is one quasar, only the object with the
    smallest |dz| may be among the best, and only that with the largest among the worst.

    Parameters
    ----------
    z_spec, z_phot
        Redshifts [n].
    group
        Number [n] of the quasar that an object is.

    Returns
    -------
    Chosen
        The best by increasing z_spec; the worst by decreasing |dz|.
    """
    order = np.argsort(np.abs(dz(z_phot, z_spec)), kind="stable")
    count = min(count, len(np.unique(group)) // 2)
    worst = _first_of_groups(order[::-1], group)[:count]
    order = _first_of_groups(order[~np.isin(np.asarray(group)[order], np.asarray(group)[worst])], group)
    good = order[: max(count, int(np.ceil(_SHARE * len(order))))]
    good = good[np.argsort(np.asarray(z_spec)[good], kind="stable")]
    places = np.linspace(0, len(good) - 1, count).round().astype(int)
    return Chosen(good[places], worst)


def _first_of_groups(order: np.ndarray, group: np.ndarray) -> np.ndarray:
    # The rows of `order` that are the first of their group.
    return order[np.sort(np.unique(np.asarray(group)[order], return_index=True)[1])]


def density_of_z(mixtures: Mixture, z: np.ndarray) -> np.ndarray:
    """p(z) = p_y(ln(1 + z)) / (1 + z) of each of n PDFs at z [m]: densities [n, m]."""
    y = np.log1p(z)
    return pdf.density(mixtures, np.broadcast_to(y, (len(mixtures.weight), len(y)))) / (1 + z)


def gallery(objects: pd.DataFrame, images: np.ndarray, masks: np.ndarray, best: int, title: str) -> Figure:
    """Images and PDFs of objects with good estimates in the upper half, and with the worst in the lower half.

    All PDFs share the axis of z. Each is scaled to its peak.

    Parameters
    ----------
    objects
        Rows of a table of predictions, with psfMag_r and zWarning beside them.
    images, masks
        Fluxes [n, 5, 64, 64] in nmgy and bits of missing bands [n, 64, 64], in the order of the objects.
    best
        The first so many objects stand in the upper half.
    """
    mixtures = mixtures_of(objects)
    columns = max(best, len(objects) - best)
    ends = [objects["z_spec"], objects["z_phot"], *(() if mixtures is None else pdf.interval(mixtures, 0.98))]
    z = np.linspace(max(0.0, np.min(ends) - 0.1), np.max(ends) + 0.1, 500)
    p = None if mixtures is None else density_of_z(mixtures, z)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(max(3.6, 1.2 * columns), 5.7), layout="none")
        halves = (range(best), range(best, len(objects)))
        for top, heading, rows in zip(_TOPS, _HEADINGS, halves, strict=True):
            figure.text(0.01, top, heading, fontsize=8, va="top", weight="bold")
            grid = _half(figure, columns, top)
            for axes in grid[:, len(rows) :].flat:
                axes.set_axis_off()
            _draw_scale_bar(grid[0, 0])
            for (above, below), row in zip(grid.T, rows, strict=False):
                target = objects.astype(object).iloc[row]  # as floats, objIDs would lose digits
                above.imshow(rgb(images[row], masks[row]), origin="lower", interpolation="nearest")
                above.set_axis_off()
                above.set_title(_caption(target), fontsize=6, linespacing=1.25)
                _draw_pdf(below, target, z, None if p is None else p[row])
        handles, labels = figure.axes[columns].get_legend_handles_labels()
        no_data = Patch(color=str(NO_DATA), label="no frame")
        figure.legend([*handles, no_data], [*labels, "no frame"], loc="lower center", ncols=4, fontsize=8)
        figure.suptitle(title, fontsize=9)
    return figure


def _half(figure: Figure, columns: int, top: float) -> np.ndarray:
    # Axes [2, columns] of images and PDFs.
    place = {"left": 0.02, "right": 0.98, "top": top - 0.1, "bottom": top - 0.38, "wspace": 0.06, "hspace": 0.08}
    return figure.subplots(2, columns, height_ratios=[1.5, 1], squeeze=False, gridspec_kw=place)


def _draw_scale_bar(axes: Axes) -> None:
    outline = [patheffects.withStroke(linewidth=2, foreground="k")]
    axes.plot([4, 4 + _BAR], [5, 5], color="w", lw=1.2, path_effects=outline)
    axes.text(4 + _BAR / 2, 6, _BAR_LABEL, color="w", fontsize=6, ha="center", va="bottom", path_effects=outline)


def _draw_pdf(axes: Axes, target: pd.Series, z: np.ndarray, p: np.ndarray | None) -> None:
    if p is None:
        axes.text(0.5, 0.5, "no PDF", transform=axes.transAxes, ha="center", va="center", fontsize=7)
    else:
        axes.fill_between(z, p / p.max(), color="0.8", lw=0, label="p(z)")
        axes.plot(z, p / p.max(), color="0.35", lw=0.8)
    axes.axvline(target["z_spec"], color="k", lw=1.1, label=r"$z_\mathrm{spec}$")
    axes.axvline(target["z_phot"], color=COLOURS[1], lw=1.1, ls="--", label=r"$z_\mathrm{phot}$")
    axes.set(xlim=z[[0, -1]], ylim=(0, 1.08), yticks=[])
    axes.set_xlabel("z", fontsize=7, labelpad=0)
    axes.tick_params(labelsize=7)
    axes.spines["left"].set_visible(False)


def _caption(target: pd.Series) -> str:
    warning = "–" if pd.isna(target["zWarning"]) else f"{target['zWarning']:.0f}"
    redshifts = rf"$z_\mathrm{{spec}}$ {target['z_spec']:.2f}  $z_\mathrm{{phot}}$ {target['z_phot']:.2f}"
    return f"{int(target['objID'])}\n{redshifts}\nr {target['psfMag_r']:.2f}  zWarning {warning}"


def write_gallery(
    *,
    predictions: str | Path,
    catalog: str | Path,
    index: str | Path,
    cutouts: Sequence[str | Path],
    figure: Iterable[str | Path],
) -> None:
    """Write the gallery of the test part of one split.

    Parameters
    ----------
    predictions
        Path of a table of predictions, {dataset}/{model}/{split}/{inputs}.parquet.
    catalog
        Path of the catalog of the dataset.
    index, cutouts
        Paths of the index of images and of the cutout files that it points into.
    figure
        Paths of the figure to write.
    """
    ((dataset, model, split, inputs, table),) = read_predictions([predictions])
    test = table[table["subset"] == "test"].reset_index(drop=True)
    columns = pq.read_table(catalog, columns=["objID", "psfMag_r", "zWarning", "group"]).to_pandas()
    test = test.merge(columns, on="objID", how="left", validate="one_to_one")
    best, worst = choose(test["z_spec"].to_numpy(), test["z_phot"].to_numpy(), test["group"].to_numpy())
    objects = test.iloc[np.concatenate([best, worst])].reset_index(drop=True)
    store = ImageStore(index, cutouts)
    images, masks = store.gather(store.rows(objects["objID"].to_numpy()))
    title = f"{dataset}: {model}, {inputs}; test part of split {split}"
    save(gallery(objects, to_nmgy(images), masks, len(best), title), figure)
