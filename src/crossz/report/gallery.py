"""Pictures of single objects: their images, and their PDFs of redshift, where the estimate is right and where it is worst."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from matplotlib import patheffects

from crossz.core.names import BANDS
from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import dz, mixtures_of, read_predictions
from crossz.images.store import ImageStore, to_nmgy
from crossz.report.plots import COLOURS, STYLE, plt, save

COUNT = 6
"""Objects a row: of the best and of the worst."""
_SHARE = 0.1  # of the objects, by |dz|: those that the best are chosen from
_STRETCH, _SOFTENING = 0.5, 8.0  # nmgy a pixel, and Q, of `rgb`
_COLOUR_BANDS = "irg"  # red, green, blue
_NO_DATA = 0.5  # grey of pixels that no frame covers
_SCALE = (12.6, '5"')  # pixels of a bar, and what it says


class Chosen(NamedTuple):
    """Row numbers [k] of a table of predictions."""

    best: np.ndarray
    worst: np.ndarray


def choose(z_spec: np.ndarray, z_phot: np.ndarray, count: int = COUNT) -> Chosen:
    """`count` of the best tenth by |dz|, evenly placed in their order of z_spec, and the `count` worst, the worst first.

    The smallest |dz| of hundreds are luck; those of the best tenth are all good, and may be chosen to differ in redshift.
    Of few objects fewer are chosen, and none twice.
    """
    order = np.argsort(np.abs(dz(z_phot, z_spec)), kind="stable")
    count = min(count, len(order) // 2)
    good = order[: max(count, int(np.ceil(_SHARE * len(order))))]
    good = good[np.argsort(np.asarray(z_spec)[good], kind="stable")]
    places = np.linspace(0, len(good) - 1, count).round().astype(int)
    return Chosen(good[places], order[::-1][:count])


def rgb(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Colours [64, 64, 3] 0..1 of one image [5, 64, 64] in nmgy: i, r, g under an asinh of their mean (Lupton et al. 2004).

    Hues are those of the fluxes, also of a pixel that is saturated. Grey where no frame covers one of the three (mask [64, 64]).
    """
    bands = [BANDS.index(band) for band in _COLOUR_BANDS]
    flux = np.moveaxis(image[bands], 0, -1).astype(float)
    mean = np.maximum(flux.mean(-1, keepdims=True), 1e-9)
    bright = np.arcsinh(_SOFTENING * mean / _STRETCH) / np.arcsinh(_SOFTENING)
    colour = np.maximum(flux * bright / mean, 0)
    colour /= np.maximum(colour.max(-1, keepdims=True), 1)
    missing = (mask & sum(1 << band for band in bands)) != 0
    return np.where(missing[..., None], _NO_DATA, colour)


def density_of_z(mixtures: Mixture, z: np.ndarray) -> np.ndarray:
    """p(z) = p_y(ln(1 + z)) / (1 + z) of each PDF [n, m] at z [m]."""
    y = np.log1p(z)
    return pdf.density(mixtures, np.broadcast_to(y, (len(mixtures.weight), len(y)))) / (1 + z)


def gallery(objects: pd.DataFrame, images: np.ndarray, masks: np.ndarray, best: int, title: str) -> plt.Figure:
    """Images and PDFs of `objects`, the first `best` of them in the upper half, the others in the lower one.

    `objects`: rows of a table of predictions with psfMag_r and zWarning; `images` [n, 5, 64, 64] in nmgy and `masks`
    [n, 64, 64] in the same order. All PDFs share the axis of z; each is scaled to its peak.
    """
    mixtures = mixtures_of(objects)
    columns = max(best, len(objects) - best)
    shown = [objects["z_spec"], objects["z_phot"], *(() if mixtures is None else pdf.interval(mixtures, 0.98))]
    z = np.linspace(max(0.0, np.min(shown) - 0.1), np.max(shown) + 0.1, 500)
    p = None if mixtures is None else density_of_z(mixtures, z)
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(max(3.6, 1.2 * columns), 5.4), layout="none")
        heads = ("of the best tenth by |Δz|, spread over redshift", "the largest |Δz|, the worst first")
        for top, head, rows in zip((0.94, 0.46), heads, (range(best), range(best, len(objects))), strict=True):
            figure.text(0.01, top, head, fontsize=8, va="top", weight="bold")
            place = {
                "left": 0.02,
                "right": 0.98,
                "top": top - 0.105,
                "bottom": top - 0.395,
                "wspace": 0.06,
                "hspace": 0.08,
            }
            grid = figure.subplots(2, columns, height_ratios=[1.5, 1], squeeze=False, gridspec_kw=place)
            for axes in grid[:, len(rows) :].flat:
                axes.set_axis_off()
            _scale_bar(grid[0, 0])
            for (above, below), row in zip(grid.T, rows, strict=False):
                one = objects.astype(object).iloc[row]  # as floats, objIDs would lose digits
                above.imshow(rgb(images[row], masks[row]), origin="lower", interpolation="nearest")
                above.set_axis_off()
                above.set_title(_words(one), fontsize=6, linespacing=1.25)
                if p is None:
                    below.text(0.5, 0.5, "no PDF", transform=below.transAxes, ha="center", va="center", fontsize=7)
                else:
                    below.fill_between(z, p[row] / p[row].max(), color="0.8", lw=0)
                    below.plot(z, p[row] / p[row].max(), color="0.35", lw=0.8)
                below.axvline(one["z_spec"], color="k", lw=1.1, label=r"$z_\mathrm{spec}$")
                below.axvline(one["z_phot"], color=COLOURS[1], lw=1.1, ls="--", label=r"$z_\mathrm{phot}$")
                below.set(xlim=z[[0, -1]], ylim=(0, 1.08), yticks=[])
                below.set_xlabel("z", fontsize=7, labelpad=0)
                below.tick_params(labelsize=7)
                below.spines["left"].set_visible(False)
        handles, labels = figure.axes[columns].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper right", ncols=2, fontsize=8)
        figure.suptitle(title, fontsize=9)
    return figure


def _scale_bar(axes: plt.Axes) -> None:
    length, words = _SCALE
    outline = [patheffects.withStroke(linewidth=2, foreground="k")]
    axes.plot([4, 4 + length], [5, 5], color="w", lw=1.2, path_effects=outline)
    axes.text(4 + length / 2, 6, words, color="w", fontsize=6, ha="center", va="bottom", path_effects=outline)


def _words(one: pd.Series) -> str:
    warning = "–" if pd.isna(one["zWarning"]) else f"{one['zWarning']:.0f}"
    redshifts = rf"$z_\mathrm{{spec}}$ {one['z_spec']:.2f}  $z_\mathrm{{phot}}$ {one['z_phot']:.2f}"
    return f"{int(one['objID'])}\n{redshifts}\nr {one['psfMag_r']:.2f}  zWarning {warning}"


def write_gallery(
    prediction_path: str | Path,
    catalog_path: str | Path,
    index_path: str | Path,
    shard_paths: Sequence[str | Path],
    paths: Iterable[str | Path],
) -> None:
    """The gallery of the test part of one .../{dataset}/{model}/{split}/{inputs}.parquet."""
    ((dataset, model, split, inputs, table),) = read_predictions([prediction_path])
    test = table[table["subset"] == "test"].reset_index(drop=True)
    best, worst = choose(test["z_spec"].to_numpy(), test["z_phot"].to_numpy())
    catalog = pq.read_table(catalog_path, columns=["objID", "psfMag_r", "zWarning"]).to_pandas()
    objects = test.iloc[np.concatenate([best, worst])].merge(catalog, on="objID", how="left", validate="one_to_one")
    store = ImageStore(index_path, shard_paths)
    images, masks = store.gather(store.rows(objects["objID"].to_numpy()))
    title = f"{dataset}: {model}, {inputs}; test part of split {split}"
    save(gallery(objects, to_nmgy(images), masks, len(best), title), paths)
