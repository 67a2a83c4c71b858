"""The figures, PNG and PDF: redshifts (Figure 1), estimates (Figure 3), errors over z, PDFs, training, Table 1 as a picture.

Each is a pure function that returns a figure, and a `write_*` that reads files and saves it. Pictures of objects: gallery.py.
"""

import itertools
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from matplotlib.colors import LogNorm
from matplotlib.ticker import MaxNLocator

from crossz.core.files import atomic_path
from crossz.estimates import classes, pdf
from crossz.estimates.predictions import dz, mixtures_of, read_predictions
from crossz.scores import classes as class_scores
from crossz.scores.metrics import PAPER, score

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "figure.dpi": 200,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
}
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]  # Okabe & Ito: told apart by colour-blind readers
REFERENCES = ("mean", "knn", "random_forest", "gradient_boosting", "mlp")
"""Models that are drawn as photometry-only references; all others but `mml` are networks."""
LOOKS = {
    "phot+img": (COLOURS[0], "o", "-"),
    "phot_gen+img": (COLOURS[1], "s", "--"),
    "phot+img_gen": (COLOURS[2], "^", "-."),
    "phot_gen+img_gen": (COLOURS[3], "D", ":"),
    "phot": ("#56B4E9", "v", (0, (5, 1, 1, 1, 1, 1))),
    "img": ("#E69F00", "P", (0, (7, 2))),
}
"""Colour, marker and line of each input pattern, the same in all figures."""
_GREYS = (("#6e6e6e", "x", (0, (4, 1.5))), ("#a8a8a8", "+", (0, (1, 1))))  # of references
_OTHER = ("k", "*", "-")
_MARKED = (0.68, 0.95)  # levels whose coverage is told
_PIT_BINS = 20
_LOSSES = {
    "loss": ("$J$, all together", ("k", "", "-")),
    "redshift": (r"$J_z$, redshift", (COLOURS[0], "", "--")),
    "classes": (r"$J_z$, classes", (COLOURS[0], "", "--")),
    "extinction": (r"$J_\mathrm{ext}$, extinction", (COLOURS[1], "", "-.")),
    "adversarial": (r"$J_\mathrm{adv}$, adversarial", (COLOURS[2], "", ":")),
}
_TABLE = {
    "rmse": ("RMSE of Δz", 1),
    "sigma_nmad": (r"$\sigma_\mathrm{NMAD}$", 1),
    "frac_lt_0.1": ("|Δz| < 0.1 (%)", 100),
}
_ABOVE = {"textcoords": "offset points", "ha": "center", "va": "bottom", "fontsize": 7}
"""How a word is set above a panel."""


def settle(figure: plt.Figure) -> None:
    """Lay the figure out for good, places of axes rounded.

    The solver of the layout sums in the order of memory addresses, so that its last digits differ from run to run, and PDF
    has ten decimals.
    """
    with plt.rc_context(STYLE):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position(np.round(axes.get_position(original=True).bounds, 6))


def save(figure: plt.Figure, paths: Iterable[str | Path]) -> None:
    """Write the figure to each path in the format of its suffix, without a date: equal figures are equal bytes."""
    settle(figure)
    for path in paths:
        date = {"CreationDate": None} if Path(path).suffix == ".pdf" else {"Software": None}
        with atomic_path(path) as temporary, plt.rc_context(STYLE):
            figure.savefig(temporary, metadata=date)
    plt.close(figure)


def redshift_histogram(z: dict[str, np.ndarray]) -> plt.Figure:
    """Figure 1: distribution of spectroscopic redshift, one outline per dataset."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(4.2, 2.9))
        every = np.concatenate(list(z.values()))
        per, things = (10, "quasars") if every.max() >= 1 else (100, "galaxies")
        bins = np.arange(np.floor(every.min() * per), np.ceil(every.max() * per) + 1) / per
        for (name, values), colour in zip(z.items(), COLOURS, strict=False):
            axes.hist(values, bins, histtype="stepfilled", color=colour, alpha=0.15)
            axes.hist(values, bins, histtype="step", color=colour, lw=1.4, label=f"{name}: {len(values):,} {things}")
        axes.set(xlabel=r"spectroscopic redshift $z_\mathrm{spec}$", ylabel=f"{things} per {1 / per:g} in z")
        axes.set_ylim(top=1.18 * axes.get_ylim()[1])  # room for the legend
        axes.legend(loc="upper right")
    return figure


def estimate(z_spec: np.ndarray, z_phot: np.ndarray, title: str) -> plt.Figure:
    """Figure 3: density of z_phot over z_spec with |dz| = 0.1 and 0.2 drawn, and the distribution of dz."""
    error, scores = dz(z_phot, z_spec), score(z_spec, z_phot)
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.3), width_ratios=[1.15, 1])
        low = np.floor(10 * min(z_spec.min(), z_phot.min())) / 10
        high = np.ceil(10 * max(z_spec.max(), z_phot.max())) / 10
        grid = max(20, min(45, int(len(z_spec) ** 0.5)))
        drawn = left.hexbin(
            z_spec,
            z_phot,
            gridsize=grid,
            extent=(low, high, low, high),
            mincnt=1,
            norm=LogNorm(),
            cmap="viridis",
            lw=0.1,
        )
        figure.colorbar(drawn, ax=left, shrink=0.85).ax.set_title("N", fontsize=8)
        low, high = low - (high - low) / grid, high + (high - low) / grid  # no hexagon is cut
        line = np.array([low, high])
        left.plot(line, line, color="k", lw=0.9)
        for size, style in ((0.1, "--"), (0.2, ":")):
            for sign in (-1, 1):
                left.plot(
                    line,
                    line + sign * size * (1 + line),
                    color="k",
                    lw=0.7,
                    ls=style,
                    label=f"|Δz| = {size}" if sign > 0 else None,
                )
        left.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        left.set(xlabel=r"$z_\mathrm{spec}$", ylabel=r"$z_\mathrm{phot}$")
        for axis in (left.xaxis, left.yaxis):
            axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        left.legend(loc="upper left", fontsize=7)
        right.hist(np.clip(error, -0.5, 0.5), np.linspace(-0.5, 0.5, 81), color=COLOURS[0], alpha=0.85)
        right.set(
            yscale="log",
            xlabel=r"$\Delta z = (z_\mathrm{phot}-z_\mathrm{spec})/(1+z_\mathrm{spec})$",
            ylabel="estimates per 0.0125",
        )
        text = [
            f"N = {len(error):,}",
            f"RMSE = {scores['rmse']:.4f}",
            rf"$\sigma_\mathrm{{NMAD}}$ = {scores['sigma_nmad']:.4f}",
            f"|Δz| < 0.1: {100 * scores['frac_lt_0.1']:.1f} %",
            f"|Δz| < 0.2: {100 * scores['frac_lt_0.2']:.1f} %",
        ]
        right.text(0.98, 0.97, "\n".join(text), transform=right.transAxes, ha="right", va="top", fontsize=8)
        figure.suptitle(title, fontsize=9)
    return figure


def confusion(label: np.ndarray, found: np.ndarray, names: Sequence[str], title: str) -> plt.Figure:
    """Which class is taken for which: shares of each true class (rows), and numbers of objects; labels and estimates [n]."""
    matrix = class_scores.confusion(label, found, len(names))
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


def error_vs_z(binned: pd.DataFrame, dataset: str) -> plt.Figure:
    """sigma_nmad, median bias and outliers per bin of z_spec with bootstrap errors; `binned` as metrics_binned.csv.

    Drawn are the input patterns of one network, `crossmodal` if it is there, and the two references of smallest RMSE.
    Bins without scores are left out; the numbers above the panels are objects a bin.
    """
    rows = binned[(binned["dataset"] == dataset) & (binned["by"] == "z")]
    network = rows[rows["model"] == _network(rows["model"])]
    squares = rows[rows["model"].isin(REFERENCES)].assign(square=rows["n"] * rows["rmse"] ** 2)
    best = squares.groupby("model", sort=False)["square"].sum().nsmallest(2).index
    series = [
        (f"{m}, {i}", LOOKS.get(i, _OTHER), part) for (m, i), part in network.groupby(["model", "inputs"], sort=False)
    ]
    series += [(f"{name}, phot", look, rows[rows["model"] == name]) for name, look in zip(best, _GREYS, strict=False)]
    panels = (
        ("sigma_nmad", r"$\sigma_\mathrm{NMAD}$", 1),
        ("bias_median", "median Δz", 1),
        ("outlier_0.15", "|Δz| > 0.15 (%)", 100),
    )
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(3, 1, figsize=(4.2, 5.6), sharex=True)
        for (name, label, scale), panel in zip(panels, axes, strict=True):
            for number, (legend, (colour, marker, line), part) in enumerate(series):
                part = part[part[name].notna()]
                shift = (number - (len(series) - 1) / 2) / (
                    1.5 * len(series)
                )  # so that bars of a bin stand side by side
                z = (part["low"] + part["high"]) / 2 + shift * (part["high"] - part["low"])
                draw = {"color": colour, "marker": marker, "ls": line, "label": legend}
                error = scale * part[f"{name}_err"]
                panel.errorbar(z, scale * part[name], error, **draw, ms=3.5, lw=1, elinewidth=0.8)
            panel.set(ylabel=label)
            for edge in np.unique(rows[["low", "high"]]):
                panel.axvline(edge, color="0.9", lw=0.6, zorder=0)
        axes[1].axhline(0, color="k", lw=0.6)
        for panel in (axes[0], axes[2]):
            panel.set_ylim(bottom=0)
        for low, high, n in series[0][2][["low", "high", "n"]].to_numpy():
            axes[0].annotate(f"{n:.0f}", ((low + high) / 2, 1), (0, 3), ("data", "axes fraction"), **_ABOVE)
        axes[0].annotate("objects", (0, 1), (-4, 3), "axes fraction", **_ABOVE | {"ha": "right"})
        axes[2].set(xlabel=r"spectroscopic redshift $z_\mathrm{spec}$")
        axes[2].set_xlim(rows["low"].min(), rows["high"].max())
        figure.suptitle(f"{dataset}: errors over redshift; test parts of all splits", fontsize=9)
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=7)
    return figure


def pit_histograms(tables: dict[str, pd.DataFrame], title: str) -> plt.Figure:
    """Histogram of the PIT, F(z_spec) of each PDF, one panel per table of predictions, by name.

    Right PDFs are uniform to within the grey band, where 95 % of the bars then lie. Its width is that of as many
    estimates as there are distinct objects: the estimates of one object by several splits are not independent.
    """
    told = {name: mixtures for name, table in tables.items() if (mixtures := mixtures_of(table)) is not None}
    if not told:
        return _without_pdf(tables, title)
    columns = min(4, len(told))
    lines = -(-len(told) // columns)
    with plt.rc_context(STYLE):
        size = (max(3.6, 1.8 * columns), 0.8 + 1.6 * lines)
        figure, grid = plt.subplots(lines, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
        for panel in grid.flat[len(told) :]:
            panel.set_axis_off()
        for number, (panel, (name, mixtures)) in enumerate(zip(grid.flat, told.items(), strict=False)):
            z_spec, objects = tables[name]["z_spec"].to_numpy(), tables[name]["objID"].nunique()
            low, high = len(z_spec) * binomial_band(objects, 1 / _PIT_BINS)
            panel.axhspan(low, high, color="0.85", lw=0)
            panel.axhline(len(z_spec) / _PIT_BINS, color="k", lw=0.6, ls="--")
            pit = pdf.cdf(mixtures, np.log1p(z_spec))
            panel.hist(pit, np.linspace(0, 1, _PIT_BINS + 1), histtype="step", color=COLOURS[0], lw=1.2)
            text = f"KS {pdf.scores(mixtures, z_spec)['pit_ks']:.3f}"
            panel.text(0.5, 0.97, text, transform=panel.transAxes, ha="center", va="top", fontsize=8)
            panel.set_title(name.replace(", ", "\n"), fontsize=8)
            panel.set(xlim=(0, 1), xticks=(0, 0.5, 1), xticklabels=("0", "0.5", "1"))
            panel.tick_params(labelbottom=number + columns >= len(told))
        grid[0, 0].set_ylim(0, 1.2 * grid[0, 0].get_ylim()[1])  # room for the text
        points = [name for name in tables if name not in told]
        below = "\n" + _points_only(points, 25 * columns) if points else ""
        figure.supxlabel(r"PIT, $F(z_\mathrm{spec})$" + below, fontsize=9)
        figure.supylabel("estimates per 0.05", fontsize=9)
        figure.suptitle(title, fontsize=9)
    return figure


def _without_pdf(names: Iterable[str], title: str) -> plt.Figure:
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(4.2, 1.0))
        figure.text(0.5, 0.4, _points_only(names, 50), ha="center", va="center")
        figure.suptitle(title, fontsize=9)
    return figure


def _points_only(names: Iterable[str], width: int) -> str:
    kept = (name.replace(", ", "\N{NO-BREAK SPACE}") for name in names)
    return textwrap.fill(f"point estimates, no PDF: {', '.join(kept)}", width)


def calibration(tables: dict[str, pd.DataFrame], title: str) -> plt.Figure:
    """How often highest-density sets of a level hold the true redshift, one line per table of predictions, by inputs.

    Below: coverage less level. The band holds 95 % of the coverages of right PDFs of as many distinct objects.
    """
    told = {name: mixtures for name, table in tables.items() if (mixtures := mixtures_of(table)) is not None}
    if not told:
        return _without_pdf(tables, title)
    nominal = np.linspace(0, 1, 101)
    marked = [round(100 * share) for share in _MARKED]
    objects = max(tables[name]["objID"].nunique() for name in told)
    low, high = np.array([binomial_band(objects, level) for level in nominal]).T
    with plt.rc_context(STYLE):
        figure, (top, below) = plt.subplots(2, 1, figsize=(4.2, 5.2), sharex=True, height_ratios=[1.4, 1])
        below.fill_between(100 * nominal, 100 * (low - nominal), 100 * (high - nominal), color="0.85", lw=0)
        top.plot([0, 100], [0, 100], color="k", lw=0.7)
        below.axhline(0, color="k", lw=0.7)
        for name, mixtures in told.items():
            level = np.sort(pdf.credible_level(mixtures, np.log1p(tables[name]["z_spec"].to_numpy())))
            covered = np.searchsorted(level, nominal, side="right") / len(level)
            covered[0] = 0  # levels come from a grid of y, and some are 0; a set of level 0 is empty
            colour, marker, line = LOOKS.get(name, _OTHER)
            shares = " and ".join(f"{100 * covered[mark]:.0f} %" for mark in marked)
            draw = {"color": colour, "ls": line, "lw": 1.2, "marker": marker, "ms": 4, "markevery": marked}
            top.plot(100 * nominal, 100 * covered, label=f"{name}: {shares}", **draw)
            below.plot(100 * nominal, 100 * (covered - nominal), **draw)
        for mark in marked:
            for axes in (top, below):
                axes.axvline(mark, color="0.6", lw=0.6, ls=":", zorder=0)
            top.annotate(f"{mark} %", (mark, 1), (0, 1), ("data", "axes fraction"), **_ABOVE)
        top.legend(loc="upper left", fontsize=7, title="coverage at 68 % and 95 %", title_fontsize=7, handlelength=3)
        top.set(xlim=(0, 100), ylim=(0, 100), ylabel="sets that hold $z_\\mathrm{spec}$ (%)")
        below.set(xlabel="level of the highest-density set (%)", ylabel="coverage − level (%)")
        figure.suptitle(title, fontsize=9)
    return figure


def learning(histories: Sequence[pd.DataFrame], title: str) -> plt.Figure:
    """Training of the splits of one network, `histories` as history.csv: losses, validation RMSE, discriminator.

    Thin: each training. Thick: their mean, as far as all went. Triangles: the epoch that was kept, of the smallest score of
    the validation part. Panels of what the network does not have are left out.
    """
    names = histories[0].columns
    scores = [name for name in names if name.startswith("val ")]
    patterns = {name: (name.removeprefix("val "), LOOKS.get(name.removeprefix("val "), _OTHER)) for name in scores}
    panels = {
        "training loss": {name: drawn for name, drawn in _LOSSES.items() if name in names},
        "validation: share of wrong classes" if "classes" in names else "validation RMSE of Δz": patterns,
        "accuracy of the discriminator": {"accuracy": (None, ("k", "", "-"))} if "accuracy" in names else {},
    }
    panels = {title: drawn for title, drawn in panels.items() if drawn}
    shortest = min(len(history) for history in histories)
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(1, len(panels), figsize=(2.4 * len(panels), 3.3))
        for axes, (label, drawn) in zip(grid, panels.items(), strict=True):
            for name, (legend, (colour, _, line)) in drawn.items():
                for history in histories:
                    axes.plot(history["epoch"], history[name], color=colour, ls=line, lw=0.5, alpha=0.5)
                mean = np.mean([history[name][:shortest] for history in histories], axis=0)
                axes.plot(histories[0]["epoch"][:shortest], mean, color=colour, ls=line, lw=1.8, label=legend)
            axes.set(xlabel="epoch", title=label)
        grid[0].set(yscale="log")
        best = pd.Series([history["epoch"][history["score"].idxmin()] for history in histories])
        height = 0.03 + 0.05 * best.groupby(best).cumcount()  # splits of one epoch stand above each other
        look = {"color": "k", "marker": "^", "ms": 5, "mfc": "w", "ls": "none", "zorder": 3}
        bottom, top = grid[1].get_ylim()
        grid[1].set_ylim(bottom=bottom - 0.15 * (top - bottom))  # room for the triangles
        place = grid[1].get_xaxis_transform()
        grid[1].plot(best, height, transform=place, label="epoch that is kept", **look)
        if len(panels) == 3:
            grid[2].axhline(0.5, color="0.5", lw=0.8, ls="--", label="real or generated: a guess")
            grid[2].set_ylim(min(0.4, *(history["accuracy"].min() for history in histories)), 1.03)
        for axes in grid:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), fontsize=7, handlelength=3.5)
        figure.suptitle(title, fontsize=9)
    return figure


def models(metrics: pd.DataFrame, dataset: str) -> plt.Figure:
    """Table 1 as a picture: mean and sd over the splits of three scores, one row per model and inputs; `metrics` as metrics.csv.

    Open markers: as printed in the paper. Networks come first, then `mml`, then references; within a model (within the
    references) by RMSE. The reference `mean` does not set the axes: an arrow and its value stand for it where it is beyond.
    """
    keys = ["model", "inputs"]
    mine = metrics[metrics["dataset"] == dataset]
    groups = mine.groupby(keys, sort=False)[list(_TABLE)]
    mean, sd = groups.mean(), groups.std(ddof=1).fillna(0.0)
    paper = PAPER[PAPER["dataset"] == dataset].set_index(keys)
    paper = paper.assign(**{"frac_lt_0.1": paper["frac_lt_0.1"] / 100, "sigma_nmad": np.nan})[list(_TABLE)]
    rows = _ordered(mean.reindex(mean.index.union(paper.index, sort=False))["rmse"])
    groups = [key[0] if _group(key[0]) == 0 else _group(key[0]) for key in rows]
    gaps = np.cumsum([0, *(0.5 * (one != next_) for one, next_ in itertools.pairwise(groups))])
    place = {key: -number - gap for number, (key, gap) in enumerate(zip(rows, gaps, strict=True))}
    setting = [key for key in mean.index if key[0] != "mean"] or list(mean.index)
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(1, 3, figsize=(7.2, 1.2 + 0.2 * (len(rows) + gaps[-1])), sharey=True)
        for axes, (name, (label, scale)) in zip(grid, _TABLE.items(), strict=True):
            ends = [mean.loc[setting, name] - sd.loc[setting, name], mean.loc[setting, name] + sd.loc[setting, name]]
            ends = scale * pd.concat([*ends, paper[name]]).dropna()
            margin = 0.08 * (ends.max() - ends.min()) or 0.1 * ends.max()
            low, high = ends.min() - margin, ends.max() + margin
            for key in mean.index:
                colour, marker = _row_look(key)
                value, y = scale * mean.loc[key, name], place[key]
                if low <= value <= high:
                    axes.errorbar(value, y, xerr=scale * sd.loc[key, name], color=colour, marker=marker, ms=5, lw=1.2)
                else:
                    side = high if value > high else low
                    arrow = {"arrowstyle": "->", "color": colour, "shrinkA": 0, "shrinkB": 0}
                    end = "right" if value > high else "left"
                    shift = -14 if value > high else 14
                    text = {"textcoords": "offset points", "va": "center", "ha": end, "fontsize": 7, "color": colour}
                    axes.annotate(f"{value:.3g}", (side, y), (shift, 0), arrowprops=arrow, **text)
            for key in paper.index:
                axes.plot(scale * paper.loc[key, name], place[key], "D", ms=7, mfc="none", mec="k", mew=0.9, zorder=3)
            for y in place.values():
                axes.axhline(y, color="0.9", lw=0.6, zorder=0)
            axes.set(xlim=(low, high), xlabel=label)
        grid[0].set_yticks(list(place.values()), [_row_name(key, mean.index) for key in place], fontsize=8)
        grid[0].set_ylim(min(place.values()) - 0.6, 0.6)
        count = mine["split"].nunique()
        handles = [plt.Line2D([], [], color="k", marker="o", ms=5, lw=1.2, label=f"mean ± sd of {_splits(count)}")]
        if len(paper):
            handles.append(
                plt.Line2D([], [], color="k", marker="D", ms=7, mfc="none", lw=0, label="printed in the paper")
            )
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)
        figure.suptitle(f"{dataset}: scores of the test parts", fontsize=9)
    return figure


def binomial_band(n: int, share: float) -> np.ndarray:
    """Lower and upper share [2] of n trials between which 95 % of the outcomes of probability `share` lie."""
    k = np.arange(n + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(k[1:]))])
    share = np.clip(share, 1e-12, 1 - 1e-12)
    log_pmf = log_factorial[n] - log_factorial - log_factorial[::-1] + k * np.log(share) + (n - k) * np.log1p(-share)
    return np.searchsorted(np.cumsum(np.exp(log_pmf)), [0.025, 0.975]) / n


def _network(names: pd.Series) -> str | None:
    """The network that stands for the others: crossmodal, otherwise the first."""
    networks = [name for name in names.unique() if _group(name) == 0]
    return "crossmodal" if "crossmodal" in networks else next(iter(networks), None)


def _group(model: str) -> int:
    """0 of a network, 1 of the baseline on spectra, 2 of a reference."""
    return 2 if model in REFERENCES else int(model == "mml")


def _ordered(rmse: pd.Series) -> list[tuple[str, str]]:
    """(model, inputs) of an RMSE by these two, in the order of the rows of a picture; those without one come last."""

    def place(key: tuple[str, str]) -> tuple:
        model = key[0]
        group = _group(model)
        first = list(rmse.index.get_level_values(0)).index(model) if group == 0 else 0
        return group, model != "crossmodal", first, rmse[key] if np.isfinite(rmse[key]) else np.inf

    return sorted(rmse.index, key=place)


def _row_look(key: tuple[str, str]) -> tuple[str, str]:
    model, inputs = key
    return ("0.45", "s") if model in REFERENCES else LOOKS.get(inputs, _OTHER)[:2]


def _row_name(key: tuple[str, str], ours: pd.Index) -> str:
    return f"{key[0]}, {key[1]}" + ("" if key in ours else " (not run)")


def _splits(count: int) -> str:
    return f"{count} split{'s' if count != 1 else ''}"


def tests_of(prediction_paths: Iterable[str | Path]) -> dict[tuple[str, str, str], pd.DataFrame]:
    """Test rows of all splits together, by (dataset, model, inputs), with their split in a column of that name."""
    parts: dict[tuple[str, str, str], list[pd.DataFrame]] = {}
    for dataset, model, split, inputs, table in read_predictions(prediction_paths):
        parts.setdefault((dataset, model, inputs), []).append(table[table["subset"] == "test"].assign(split=split))
    return {key: pd.concat(tables, ignore_index=True) for key, tables in parts.items()}


def _tests_title(table: pd.DataFrame) -> str:
    return f"test parts of {_splits(table['split'].nunique())}"


def write_redshift_histogram(catalog_paths: Sequence[str | Path], paths: Iterable[str | Path]) -> None:
    """Figure 1 of the catalogs {dataset}.parquet."""
    save(redshift_histogram({Path(path).stem: pq.read_table(path)["z"].to_numpy() for path in catalog_paths}), paths)


def write_estimates(
    prediction_paths: Sequence[str | Path], png_paths: Sequence[str | Path], pdf_paths: Sequence[str | Path]
) -> None:
    """Figure 3 of one dataset and model, one figure .../{dataset}/{model}/{inputs}.png and .pdf an input pattern.

    Of classes, the confusion matrix. The test rows of all splits together.
    """
    tests = tests_of(prediction_paths)
    for paths in zip(png_paths, pdf_paths, strict=True):
        png = Path(paths[0])
        dataset, model, inputs = *png.parts[-3:-1], png.stem
        test = tests[dataset, model, inputs]
        title = f"{dataset}: {model}, {inputs}; {_tests_title(test)}"
        if (told := classes.probabilities_of(test)) is not None:
            save(confusion(classes.labels(test, told[0]), told[1].argmax(1), told[0], title), paths)
            continue
        save(estimate(test["z_spec"].to_numpy(), test["z_phot"].to_numpy(), title), paths)


def write_error_vs_z(binned_path: str | Path, dataset: str, paths: Iterable[str | Path]) -> None:
    """Errors over redshift of one dataset of metrics_binned.csv."""
    save(error_vs_z(pd.read_csv(binned_path), dataset), paths)


def write_pit(prediction_paths: Sequence[str | Path], paths: Iterable[str | Path]) -> None:
    """PIT histograms of one dataset, a panel per model and inputs: the test rows of all splits together."""
    tests = tests_of(prediction_paths)
    (dataset, _, _), first = next(iter(tests.items()))
    named = {f"{model}, {inputs}": table for (_, model, inputs), table in tests.items()}
    save(pit_histograms(named, f"{dataset}: PIT of the {_tests_title(first)}"), paths)


def write_calibration(prediction_paths: Sequence[str | Path], paths: Iterable[str | Path]) -> None:
    """Coverage of the PDFs of one dataset and model, a line per inputs: the test rows of all splits together."""
    tests = tests_of(prediction_paths)
    (dataset, model, _), first = next(iter(tests.items()))
    title = f"{dataset}: {model}, coverage; {_tests_title(first)}"
    save(calibration({inputs: table for (_, _, inputs), table in tests.items()}, title), paths)


def write_learning(history_paths: Sequence[str | Path], paths: Iterable[str | Path]) -> None:
    """Learning curves of one dataset and network, of all its .../{dataset}/{model}/{split}/history.csv."""
    dataset, model = Path(history_paths[0]).parts[-4:-2]
    title = f"{dataset}: {model}, training of {_splits(len(history_paths))}"
    histories = [rows for path in history_paths for _, rows in pd.read_csv(path).groupby("member")]
    save(learning(histories, title), paths)


def write_models(metrics_path: str | Path, dataset: str, paths: Iterable[str | Path]) -> None:
    """The scores of one dataset of metrics.csv, beside those that the paper prints."""
    save(models(pd.read_csv(metrics_path), dataset), paths)
