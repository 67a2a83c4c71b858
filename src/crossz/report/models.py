"""Figures of models: Table 1 as a picture, and learning curves."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from crossz.core.names import REFERENCES
from crossz.core.paths import parse_model
from crossz.report.order import Row, group, ordered
from crossz.report.style import COLOURS, LOOKS, OTHER_LOOK, STYLE, Look, plt, save, splits_text
from crossz.scores.metrics import PAPER, headline
from crossz.scores.summary import over_splits

_LOSSES: dict[str, tuple[str, Look]] = {
    "loss": ("$J$, all together", ("k", "", "-")),
    "redshift": (r"$J_z$, redshift", (COLOURS[0], "", "--")),
    "classes": (r"$J_z$, classes", (COLOURS[0], "", "--")),
    "extinction": (r"$J_\mathrm{ext}$, extinction", (COLOURS[1], "", "-.")),
    "adversarial": (r"$J_\mathrm{adv}$, adversarial", (COLOURS[2], "", ":")),
}
"""Legend and look of each loss in a history."""
_SCORES = {
    "rmse": ("RMSE of Δz", 1),
    "sigma_nmad": (r"$\sigma_\mathrm{NMAD}$", 1),
    "frac_lt_0.1": ("|Δz| < 0.1 (%)", 100),
}
"""Axis label and scale of each score that the picture of Table 1 shows."""
_MEAN = "mean"  # the reference whose scores may lie beyond the axes


def learning_curves(histories: Sequence[pd.DataFrame], title: str) -> Figure:
    """How the networks of all splits learned: losses, scores of the validation part, accuracy of the discriminator.

    Thin lines are single trainings. Thick lines are their mean, up to the epoch that all of them reached. Triangles mark
    the epochs that are kept: those of the smallest validation score. Panels that the network does not need are left out.

    Parameters
    ----------
    histories
        Rows of history.csv, one table per training.
    """
    panels = _learning_panels(histories[0].columns)
    with plt.rc_context(STYLE):
        figure, grid = plt.subplots(1, len(panels), figsize=(2.4 * len(panels), 3.3))
        for axes, (label, curves) in zip(grid, panels.items(), strict=True):
            _draw_curves(axes, histories, curves)
            axes.set(xlabel="epoch", title=label)
        grid[0].set(yscale="log")
        grid[0].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        grid[0].yaxis.set_major_formatter("{x:g}")
        grid[0].yaxis.set_minor_formatter(NullFormatter())
        _mark_best(grid[1], histories)
        if len(histories) > 1:
            single, mean = f"one of {len(histories)} trainings", "mean of the trainings"
            grid[0].plot([], [], color="k", lw=0.5, alpha=0.5, label=single)
            grid[-1].plot([], [], color="k", lw=1.8, label=mean)
        if len(panels) == 3:
            grid[2].axhline(0.5, color="0.5", lw=0.8, ls="--", label="real or generated: a guess")
            grid[2].set_ylim(min(0.4, *(history["accuracy"].min() for history in histories)), 1.03)
        for axes in grid:
            axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), fontsize=7, handlelength=3.5)
        figure.suptitle(title, fontsize=9)
    return figure


def _learning_panels(names: Iterable[str]) -> dict[str, dict[str, tuple[str | None, Look]]]:
    # Legend and look of each curve, by its column in a history, by the title of its panel.
    names = list(names)
    patterns = {name: name.removeprefix("val ") for name in names if name.startswith("val ")}
    validation = "validation: share of wrong classes" if "classes" in names else "validation RMSE of Δz"
    panels: dict[str, dict[str, tuple[str | None, Look]]] = {
        "training loss": {name: curve for name, curve in _LOSSES.items() if name in names},
        validation: {name: (inputs, LOOKS.get(inputs, OTHER_LOOK)) for name, inputs in patterns.items()},
        "accuracy of the discriminator": {"accuracy": (None, ("k", "", "-"))} if "accuracy" in names else {},
    }
    return {title: curves for title, curves in panels.items() if curves}


def _draw_curves(axes: Axes, histories: Sequence[pd.DataFrame], curves: Mapping[str, tuple[str | None, Look]]) -> None:
    shortest = min(len(history) for history in histories)
    for name, (legend, (colour, _, line)) in curves.items():
        for history in histories:
            axes.plot(history["epoch"], history[name], color=colour, ls=line, lw=0.5, alpha=0.5)
        mean = np.mean([history[name][:shortest] for history in histories], axis=0)
        axes.plot(histories[0]["epoch"][:shortest], mean, color=colour, ls=line, lw=1.8, label=legend)


def _mark_best(axes: Axes, histories: Sequence[pd.DataFrame]) -> None:
    best = pd.Series([history["epoch"].iloc[history["score"].argmin()] for history in histories])
    height = 0.03 + 0.05 * best.groupby(best).cumcount()  # splits of the same epoch stand above each other
    look: dict[str, Any] = {"color": "k", "marker": "^", "ms": 5, "mfc": "w", "ls": "none", "zorder": 3}
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom=bottom - 0.15 * (top - bottom))  # room for the triangles
    axes.plot(best, height, transform=axes.get_xaxis_transform(), label="epoch that is kept", **look)


class _Table(NamedTuple):
    """What the picture of Table 1 shows of one dataset; all tables are indexed by model and inputs."""

    mean: pd.DataFrame  # over the splits
    sd: pd.DataFrame
    printed: pd.DataFrame  # as in the paper
    height: dict[Row, float]  # of each row in the picture, the first highest


def model_scores(metrics: pd.DataFrame, dataset: str) -> Figure:
    """Table 1 as a picture: mean and standard deviation over the splits of three scores, one row per model and inputs.

    The rows have the order of all figures (`order.ordered`). Open markers are the values printed in the paper, for other
    objects. The reference `mean` does not set the range of an axis: where it lies beyond, an arrow and its
    value stand for it.

    Parameters
    ----------
    metrics
        Rows of metrics.csv.
    dataset
        The dataset to show.

    References
    ----------
    Zhang et al. (2023), Table 1.
    """
    scored = headline(metrics[metrics["dataset"] == dataset])
    table = _table(scored, dataset)
    with plt.rc_context(STYLE):
        lines = 1 - min(table.height.values())
        figure, grid = plt.subplots(1, 3, figsize=(7.2, 1.2 + 0.2 * lines), sharey=True)
        for axes, (name, (label, scale)) in zip(grid, _SCORES.items(), strict=True):
            _draw_scores(axes, table, name, scale)
            axes.set(xlabel=label)
        names = [_row_name(row, table.mean.index) for row in table.height]
        grid[0].set_yticks(list(table.height.values()), names, fontsize=8)
        grid[0].set_ylim(min(table.height.values()) - 0.6, 0.6)
        legend = f"mean ± sd of {splits_text(scored['split'].nunique())}"
        handles = [plt.Line2D([], [], color="k", marker="o", ms=5, lw=1.2, label=legend)]
        if len(table.printed):
            printed = "printed in the paper, of 400,000 real quasars"
            handles.append(plt.Line2D([], [], color="k", marker="D", ms=7, mfc="none", lw=0, label=printed))
        handles += _extra_handles(table)
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)
        figure.suptitle(f"{dataset}: scores of the test parts", fontsize=9)
    return figure


def _table(scored: pd.DataFrame, dataset: str) -> _Table:
    keys = ["model", "inputs"]
    mean, sd, _ = over_splits(scored, keys, list(_SCORES))
    printed = PAPER[PAPER["dataset"] == dataset].set_index(keys)
    printed["frac_lt_0.1"] /= 100
    printed = printed.assign(sigma_nmad=np.nan)[list(_SCORES)]
    rows = ordered(mean.index.union(printed.index, sort=False))
    kinds = [group(model) or model for model, _ in rows]
    gaps = np.cumsum([0, *(0.5 * (kind != following) for kind, following in itertools.pairwise(kinds))])
    height = {row: -number - gap for number, (row, gap) in enumerate(zip(rows, gaps, strict=True))}
    return _Table(mean, sd, printed, height)


def _extra_handles(table: _Table) -> list[plt.Line2D]:
    # The legend of what only some pictures have: references, and values beyond an axis.
    handles = []
    if any(model in REFERENCES for model, _ in table.mean.index):
        handles.append(plt.Line2D([], [], color="0.45", marker="s", ms=5, lw=1.2, label="reference: photometry alone"))
    if any(model == _MEAN for model, _ in table.mean.index):
        beyond = "beyond the axis: its value"
        handles.append(plt.Line2D([], [], color="0.45", marker=r"$\rightarrow$", ms=10, lw=0, label=beyond))
    return handles


def _draw_scores(axes: Axes, table: _Table, name: str, scale: int) -> None:
    mean, sd, printed = scale * table.mean[name], scale * table.sd[name], scale * table.printed[name]
    low, high = _axis_range(table, name, scale)
    for row in mean.index:
        colour, marker = _row_look(row)
        value, y = mean[row], table.height[row]
        if low <= value <= high:
            axes.errorbar(value, y, xerr=sd[row], color=colour, marker=marker, ms=5, lw=1.2)
        else:
            edge, align, shift = (high, "right", -14) if value > high else (low, "left", 14)
            arrow = {"arrowstyle": "->", "color": colour, "shrinkA": 0, "shrinkB": 0}
            text: dict[str, Any] = {"textcoords": "offset points", "va": "center", "ha": align, "fontsize": 7}
            text["color"] = colour
            axes.annotate(f"{value:.3g}", (edge, y), (shift, 0), arrowprops=arrow, **text)
    for row in printed.index:
        axes.plot(printed[row], table.height[row], "D", ms=7, mfc="none", mec="k", mew=0.9, zorder=3)
    for y in table.height.values():
        axes.axhline(y, color="0.9", lw=0.6, zorder=0)
    axes.set(xlim=(low, high))


def _axis_range(table: _Table, name: str, scale: int) -> tuple[float, float]:
    rows = [row for row in table.mean.index if row[0] != _MEAN] or list(table.mean.index)
    mean, sd = table.mean.loc[rows, name], table.sd.loc[rows, name]
    ends = scale * pd.concat([mean - sd, mean + sd, table.printed[name]]).dropna()
    margin = 0.08 * (ends.max() - ends.min()) or 0.1 * ends.max()
    return ends.min() - margin, ends.max() + margin


def _row_look(row: Row) -> tuple[str, str]:
    model, inputs = row
    colour, marker, _ = LOOKS.get(inputs, OTHER_LOOK)
    return ("0.45", "s") if model in REFERENCES else (colour, marker)


def _row_name(row: Row, scored: pd.Index) -> str:
    return f"{row[0]}, {row[1]}" + ("" if row in scored else " (not run)")


def write_learning(*, histories: Sequence[str | Path], figure: Iterable[str | Path]) -> None:
    """Write the learning curves of one dataset and network.

    Parameters
    ----------
    histories
        Paths {dataset}/{model}/{split}/history.csv, one per split.
    figure
        Paths of the figure to write.
    """
    network = parse_model(histories[0])
    title = f"{network.dataset}: {network.model}, training of {splits_text(len(histories))}"
    trainings = [rows for path in histories for _, rows in pd.read_csv(path).groupby("member")]
    save(learning_curves(trainings, title), figure)


def write_models(*, metrics: str | Path, dataset: str, figure: Iterable[str | Path]) -> None:
    """Write the picture of Table 1.

    Parameters
    ----------
    metrics
        Path of metrics.csv.
    dataset
        The dataset to show.
    figure
        Paths of the figure to write.
    """
    save(model_scores(pd.read_csv(metrics), dataset), figure)
