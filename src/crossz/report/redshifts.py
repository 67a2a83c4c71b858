"""Figures of redshifts: their distribution (Figure 1), estimates against spectra (Figure 3), errors over redshift.

For a classification, the confusion matrix takes the place of Figure 3.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from crossz.core.names import CROSSMODAL, MML, REFERENCES, STACKED
from crossz.core.paths import parse_catalog, parse_estimates_figure
from crossz.estimates import classes
from crossz.estimates.estimates import dz
from crossz.report.order import ordered
from crossz.report.pooled import pooled_tests, pooled_title
from crossz.report.style import (
    COLOURS,
    LABEL_ABOVE,
    LOOKS,
    OTHER_LOOK,
    REFERENCE_LOOKS,
    STYLE,
    Look,
    objects_word,
    plt,
    save,
)
from crossz.scores import classes as class_scores
from crossz.scores.metrics import score

_PANELS = (
    ("sigma_nmad", r"$\sigma_\mathrm{NMAD}$", 1),
    ("bias_median", "median Δz", 1),
    ("outlier_0.15", "|Δz| > 0.15 (%)", 100),
)
"""Score, axis label and scale of each panel of the figure of errors over redshift."""
_WIDEST = 0.5  # |dz| at the ends of the axis of errors
_SPREAD = 0.3  # of the width of a bin, over which the markers of a bin are drawn side by side


def redshift_histogram(z: Mapping[str, np.ndarray]) -> Figure:
    """Distribution of spectroscopic redshifts, one outline per dataset; shares, so that samples of any size compare.

    Parameters
    ----------
    z
        Spectroscopic redshifts [n] by name of the dataset.

    References
    ----------
    Zhang et al. (2023), Figure 1.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.2, 2.9))
        every = np.concatenate(list(z.values()))
        objects = objects_word(every)
        per = 10 if objects == "quasars" else 100
        edges = (np.arange(np.floor(every.min() * per), np.ceil(every.max() * per) + 1) / per).tolist()
        looks = itertools.cycle(zip(COLOURS, ("-", "--", "-.", ":"), strict=True))
        for (name, values), (colour, line) in zip(z.items(), looks, strict=False):
            share = np.full(len(values), 100 / len(values))
            look: dict[str, Any] = {"histtype": "step", "color": colour, "ls": line, "lw": 1.4}
            axes.hist(values, edges, weights=share, label=f"{name}: {len(values):,} {objects}", **look)
        axes.set(xlabel=r"spectroscopic redshift $z_\mathrm{spec}$", ylabel=f"{objects} per {1 / per:g} in z (%)")
        axes.set_ylim(top=1.18 * axes.get_ylim()[1])  # room for the legend
        axes.legend(loc="upper right")
    return figure


def estimate(z_spec: np.ndarray, z_phot: np.ndarray, title: str) -> Figure:
    """Density of z_phot over z_spec, with |dz| = 0.1 and 0.2 marked, and the distribution of dz.

    Parameters
    ----------
    z_spec, z_phot
        Redshifts [n].

    References
    ----------
    Zhang et al. (2023), Figure 3.
    """
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), width_ratios=[1.15, 1])
        _draw_density(left, z_spec, z_phot)
        _draw_errors(right, z_spec, z_phot)
        figure.suptitle(title, fontsize=9)
    return figure


def _draw_density(axes: Axes, z_spec: np.ndarray, z_phot: np.ndarray) -> None:
    low = np.floor(10 * min(z_spec.min(), z_phot.min())) / 10
    high = np.ceil(10 * max(z_spec.max(), z_phot.max())) / 10
    grid = max(20, min(45, int(len(z_spec) ** 0.5)))
    look: dict[str, Any] = {"norm": LogNorm(), "cmap": "viridis", "lw": 0.1}
    hexagons = axes.hexbin(z_spec, z_phot, gridsize=grid, extent=(low, high, low, high), mincnt=1, **look)
    axes.figure.colorbar(hexagons, ax=axes, shrink=0.85).set_label("estimates", fontsize=8)
    low, high = low - (high - low) / grid, high + (high - low) / grid  # no hexagon is cut
    line = np.array([low, high])
    axes.plot(line, line, color="k", lw=0.9, label=r"$z_\mathrm{phot} = z_\mathrm{spec}$")
    for size, style in ((0.1, "--"), (0.2, ":")):
        for sign in (-1, 1):
            label = f"|Δz| = {size}" if sign > 0 else None
            axes.plot(line, line + sign * size * (1 + line), color="k", lw=0.7, ls=style, label=label)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set(xlabel=r"$z_\mathrm{spec}$", ylabel=r"$z_\mathrm{phot}$")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.legend(loc="upper left", fontsize=7)


def _draw_errors(axes: Axes, z_spec: np.ndarray, z_phot: np.ndarray) -> None:
    error, scores = dz(z_phot, z_spec), score(z_spec, z_phot)
    inside = np.abs(error) <= _WIDEST
    axes.hist(error[inside], np.linspace(-_WIDEST, _WIDEST, 81).tolist(), color=COLOURS[0], alpha=0.85)
    label = r"$\Delta z = (z_\mathrm{phot}-z_\mathrm{spec})/(1+z_\mathrm{spec})$"
    axes.set(yscale="log", xlabel=label, ylabel="estimates per 0.0125")
    lines = [
        f"RMSE = {scores['rmse']:.4f}",
        rf"$\sigma_\mathrm{{NMAD}}$ = {scores['sigma_nmad']:.4f}",
        f"|Δz| < 0.1: {100 * scores['frac_lt_0.1']:.1f} %",
        f"|Δz| < 0.2: {100 * scores['frac_lt_0.2']:.1f} %",
        f"beyond the axis: {np.sum(~inside):,}",
    ]
    axes.text(0.98, 0.97, "\n".join(lines), transform=axes.transAxes, ha="right", va="top", fontsize=8)


def confusion(label: np.ndarray, estimated: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Confusion matrix: the share of each true class (row) in each estimated class (column), and numbers of objects.

    Parameters
    ----------
    label, estimated
        Row numbers [n] of `names`: the true class and the most probable one.
    names
        The classes.
    """
    matrix = class_scores.confusion(label, estimated, len(names))
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(1.6 + 0.9 * len(names), 1.4 + 0.8 * len(names)))
        axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
        for (row, column), count in np.ndenumerate(matrix):
            colour = "w" if share[row, column] > 0.6 else "k"
            text = f"{100 * share[row, column]:.1f} %\n{count:,}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
        axes.set_xticks(range(len(names)), names)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="photometric class", ylabel="spectroscopic class")
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        figure.suptitle(f"{title}; {100 * np.trace(matrix) / matrix.sum():.1f} % right", fontsize=8, wrap=True)
    return figure


def error_vs_z(binned: pd.DataFrame, dataset: str) -> Figure:
    """sigma_nmad, median bias and outliers per bin of z_spec, with bootstrap errors.

    Shown are all input patterns of one network, the stack and the two references of smallest RMSE. The network is `crossmodal`
    or, without it, the first. Bins without scores are left out. The numbers above the panels are objects per bin.

    Parameters
    ----------
    binned
        Rows of metrics_binned.csv.
    dataset
        The dataset to show.
    """
    rows = binned[(binned["dataset"] == dataset) & (binned["by"] == "z")]
    series = _series(rows)
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(3, 1, figsize=(4.2, 5.6), sharex=True)
        for (name, label, scale), panel in zip(_PANELS, panels, strict=True):
            for number, (legend, (colour, marker, line), part) in enumerate(series):
                part = part[part[name].notna()]
                shift = _SPREAD * (number / max(1, len(series) - 1) - 0.5)  # all bars of a bin can be seen
                z = (part["low"] + part["high"]) / 2 + shift * (part["high"] - part["low"])
                look = {"color": colour, "marker": marker, "ls": line, "label": legend}
                error = scale * part[f"{name}_err"]
                panel.errorbar(z, scale * part[name], error, **look, ms=3.5, lw=1, elinewidth=0.8)
            panel.set(ylabel=label)
            for edge in np.unique(rows[["low", "high"]]):
                panel.axvline(edge, color="0.9", lw=0.6, zorder=0)
        panels[1].axhline(0, color="k", lw=0.6)
        for panel in (panels[0], panels[2]):
            panel.set_ylim(bottom=0)
        for low, high, n in series[0][2][["low", "high", "n"]].to_numpy():
            panels[0].annotate(f"{n:.0f}", ((low + high) / 2, 1), (0, 3), ("data", "axes fraction"), **LABEL_ABOVE)
        panels[0].annotate("objects", (0, 1), (-4, 3), "axes fraction", **LABEL_ABOVE | {"ha": "right"})
        panels[2].set(xlabel=r"spectroscopic redshift $z_\mathrm{spec}$")
        panels[2].set_xlim(rows["low"].min(), rows["high"].max())
        figure.suptitle(f"{dataset}: errors over redshift; test parts of all splits", fontsize=9)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    return figure


def _series(rows: pd.DataFrame) -> list[tuple[str, Look, pd.DataFrame]]:
    # What is shown of the binned scores `rows` of one dataset: legend, look and rows of each series.
    network = rows[rows["model"] == _network(rows["model"])]
    squares = rows[rows["model"].isin(REFERENCES)].assign(square=rows["n"] * rows["rmse"] ** 2)
    two = squares.groupby("model", sort=False)["square"].sum().nsmallest(2).index
    series = [
        (f"{model}, {inputs}", LOOKS.get(inputs, OTHER_LOOK), network[network["inputs"] == inputs])
        for model, inputs in ordered(network[["model", "inputs"]].drop_duplicates().itertuples(index=False, name=None))
    ]
    stacked = rows[rows["model"] == STACKED].groupby("inputs", sort=False)
    series += [(f"{STACKED}, {inputs}", OTHER_LOOK, part) for inputs, part in [*stacked][:1]]
    best = [name for name in REFERENCES if name in two]
    return series + [(f"{name}, phot", REFERENCE_LOOKS[name], rows[rows["model"] == name]) for name in best]


def _network(models: pd.Series) -> str | None:
    # The network to show: crossmodal, otherwise the first.
    networks = [name for name in models.unique() if name not in (MML, STACKED, *REFERENCES)]
    return CROSSMODAL if CROSSMODAL in networks else next(iter(networks), None)


def write_redshift_histogram(*, catalogs: Iterable[str | Path], figure: Iterable[str | Path]) -> None:
    """Write Figure 1.

    Parameters
    ----------
    catalogs
        Paths of catalogs, {dataset}.parquet.
    figure
        Paths of the figure to write.
    """
    z = {parse_catalog(path).dataset: pq.read_table(path)["z"].to_numpy() for path in catalogs}
    save(redshift_histogram(z), figure)


def write_estimates(*, predictions: Iterable[str | Path], png: Iterable[str | Path], pdf: Iterable[str | Path]) -> None:
    """Write Figure 3 of one dataset and model, one figure per input pattern, of the test rows of all splits together.

    For a classification, the figure is the confusion matrix.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet, of one dataset and model.
    png, pdf
        Paths of the figures to write, {dataset}/{model}/{inputs}.png and .pdf, in any order.
    """
    figures: dict[str, list[str | Path]] = {}
    for path in (*png, *pdf):
        figures.setdefault(parse_estimates_figure(path).inputs, []).append(path)
    for (dataset, model, inputs), test in pooled_tests(predictions).items():
        title = f"{dataset}: {model}, {inputs}\n{pooled_title(test)}"
        if (probabilities := classes.probabilities_of(test)) is not None:
            names, probability = probabilities
            figure = confusion(classes.labels(test, names), probability.argmax(1), names, title)
        else:
            figure = estimate(test["z_spec"].to_numpy(), test["z_phot"].to_numpy(), title)
        save(figure, figures[inputs])


def write_error_vs_z(*, binned: str | Path, dataset: str, figure: Iterable[str | Path]) -> None:
    """Write the figure of errors over redshift.

    Parameters
    ----------
    binned
        Path of metrics_binned.csv.
    dataset
        The dataset to show.
    figure
        Paths of the figure to write.
    """
    save(error_vs_z(pd.read_csv(binned), dataset), figure)
