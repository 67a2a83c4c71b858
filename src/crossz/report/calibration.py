"""Figures that show whether PDFs are right: histograms of the PIT, and coverage of highest-density sets.

The PIT (probability integral transform) of an object is the cumulative distribution of its PDF at its true redshift.
"""

import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import mixtures_of
from crossz.report.pooled import pooled_tests, pooled_title
from crossz.report.style import COLOURS, LABEL_ABOVE, LOOKS, OTHER_LOOK, STYLE, plt, save
from crossz.scores import pdf_scores

_MARKED = (0.68, 0.95)  # levels whose coverage stands in the legend
_PIT_BINS = 20


def binomial_band(n: int, probability: float) -> np.ndarray:
    """Lower and upper share [2] of n trials that enclose 95 % of the outcomes.

    Parameters
    ----------
    n
        Number of trials.
    probability
        Probability of a success in one trial.
    """
    k = np.arange(n + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(k[1:]))])
    p = np.clip(probability, 1e-12, 1 - 1e-12)
    log_pmf = log_factorial[n] - log_factorial - log_factorial[::-1] + k * np.log(p) + (n - k) * np.log1p(-p)
    return np.searchsorted(np.cumsum(np.exp(log_pmf)), [0.025, 0.975]) / n


def pit_histograms(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Histograms of the PIT, one panel per table of predictions.

    The PIT of right PDFs is uniform: 95 % of the bars then lie within the grey band. The width of the band counts each
    object once, because the estimates of one object by several splits are not independent.

    Parameters
    ----------
    tables
        Tables of predictions by the name of their panel. Tables without PDFs are listed below the panels.

    References
    ----------
    Polsterer, D'Isanto & Gieseke (2016), arXiv:1608.08016.
    """
    mixtures = _with_pdfs(tables)
    if not mixtures:
        return _without_pdfs(tables, title)
    columns = min(4, len(mixtures))
    lines = -(-len(mixtures) // columns)
    with plt.rc_context(STYLE):
        size = (max(3.6, 1.8 * columns), 1.1 + 1.6 * lines)
        figure, grid = plt.subplots(lines, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
        for panel in grid.flat[len(mixtures) :]:
            panel.set_axis_off()
        for number, (panel, (name, pdfs)) in enumerate(zip(grid.flat, mixtures.items(), strict=False)):
            _draw_pit(panel, tables[name], pdfs)
            panel.set_title(name.replace(", ", "\n"), fontsize=8)
            panel.set(xlim=(0, 1), xticks=(0, 0.5, 1), xticklabels=("0", "0.5", "1"))
            panel.tick_params(labelbottom=number + columns >= len(mixtures))
        grid[0, 0].set_ylim(0, 1.2 * grid[0, 0].get_ylim()[1])  # room for the text
        for panel in grid.flat[max(0, len(mixtures) - columns) : len(mixtures)]:
            panel.set_xlabel(r"PIT, $F(z_\mathrm{spec})$", fontsize=8)
        figure.supylabel("estimates per 0.05", fontsize=9)
        points = [name for name in tables if name not in mixtures]
        look: dict[str, Any] = {
            "loc": "outside lower center",
            "ncols": 3 if columns > 2 else 1,
            "fontsize": 7,
            "title_fontsize": 8,
        }
        figure.legend(
            *grid[0, 0].get_legend_handles_labels(),
            title=_points_only(points, 25 * columns) if points else None,
            **look,
        )
        figure.suptitle(title, fontsize=9)
    return figure


def _draw_pit(panel: Axes, table: pd.DataFrame, mixtures: Mixture) -> None:
    z_spec, objects = table["z_spec"].to_numpy(), table["objID"].nunique()
    low, high = len(z_spec) * binomial_band(objects, 1 / _PIT_BINS)
    panel.axhspan(low, high, color="0.85", lw=0, label="95 % of the bars of right PDFs")
    panel.axhline(len(z_spec) / _PIT_BINS, color="k", lw=0.6, ls="--", label="uniform")
    pit = pdf.cdf(mixtures, np.log1p(z_spec))
    edges = np.linspace(0, 1, _PIT_BINS + 1).tolist()
    panel.hist(pit, edges, histtype="step", color=COLOURS[0], lw=1.2, label="estimates")
    text = f"KS {pdf_scores.ks_distance(pit):.3f}"
    panel.text(0.5, 0.97, text, transform=panel.transAxes, ha="center", va="top", fontsize=8)


def coverage_curves(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """How often highest-density sets of a level hold the true redshift, and below it coverage minus level.

    The grey band holds 95 % of the coverages of right PDFs of as many distinct objects.

    Parameters
    ----------
    tables
        Tables of predictions by input pattern, one line each.
    """
    mixtures = _with_pdfs(tables)
    if not mixtures:
        return _without_pdfs(tables, title)
    nominal = np.linspace(0, 1, 101)
    marked = [round(100 * level) for level in _MARKED]
    objects = max(tables[name]["objID"].nunique() for name in mixtures)
    low, high = np.array([binomial_band(objects, level) for level in nominal]).T
    with plt.rc_context(STYLE):
        figure, (top, below) = plt.subplots(2, 1, figsize=(4.2, 5.2), sharex=True, height_ratios=[1.4, 1])
        below.fill_between(100 * nominal, 100 * (low - nominal), 100 * (high - nominal), color="0.85", lw=0)
        top.plot([0, 100], [0, 100], color="k", lw=0.7)
        below.axhline(0, color="k", lw=0.7)
        for name, pdfs in mixtures.items():
            covered = _covered(pdfs, tables[name]["z_spec"].to_numpy(), nominal)
            colour, marker, line = LOOKS.get(name, OTHER_LOOK)
            shares = " and ".join(f"{100 * covered[mark]:.0f} %" for mark in marked)
            look = {"color": colour, "ls": line, "lw": 1.2, "marker": marker, "ms": 4, "markevery": marked}
            top.plot(100 * nominal, 100 * covered, label=f"{name}: {shares}", **look)
            below.plot(100 * nominal, 100 * (covered - nominal), **look)
        for mark in marked:
            for axes in (top, below):
                axes.axvline(mark, color="0.6", lw=0.6, ls=":", zorder=0)
            top.annotate(f"{mark} %", (mark, 1), (0, 1), ("data", "axes fraction"), **LABEL_ABOVE)
        handles = [*top.get_legend_handles_labels()[0], Patch(color="0.85", lw=0, label="below: 95 % of right PDFs")]
        top.legend(
            handles=handles,
            loc="upper left",
            fontsize=7,
            title="coverage at 68 % and 95 %",
            title_fontsize=7,
            handlelength=3,
        )
        top.set(xlim=(0, 100), ylim=(0, 100), ylabel="sets that hold $z_\\mathrm{spec}$ (%)")
        below.set(xlabel="level of the highest-density set (%)", ylabel="coverage − level (%)")
        figure.suptitle(title, fontsize=9)
    return figure


def _covered(mixtures: Mixture, z_spec: np.ndarray, nominal: np.ndarray) -> np.ndarray:
    # Share [m] of the objects whose set of each `nominal` level [m] holds z_spec [n].
    level = np.sort(pdf_scores.credible_level(mixtures, np.log1p(z_spec)))
    covered = np.searchsorted(level, nominal, side="right") / len(level)
    covered[0] = 0  # levels come from a grid of y, and a few are 0; a set of level 0 is empty
    return covered


def _with_pdfs(tables: Mapping[str, pd.DataFrame]) -> dict[str, Mixture]:
    return {name: mixtures for name, table in tables.items() if (mixtures := mixtures_of(table)) is not None}


def _without_pdfs(names: Iterable[str], title: str) -> Figure:
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(4.2, 1.0))
        figure.text(0.5, 0.4, _points_only(names, 50), ha="center", va="center")
        figure.suptitle(title, fontsize=9)
    return figure


def _points_only(names: Iterable[str], width: int) -> str:
    unbroken = (name.replace(", ", "\N{NO-BREAK SPACE}") for name in names)
    return textwrap.fill(f"point estimates, no PDF: {', '.join(unbroken)}", width)


def write_calibration(
    *, predictions: Iterable[str | Path], pit: Iterable[str | Path], calibration: Iterable[str | Path]
) -> None:
    """Write the figures of the PIT and of the coverage of one dataset and model, of the test rows of all splits together.

    Parameters
    ----------
    predictions
        Paths of tables of predictions, {dataset}/{model}/{split}/{inputs}.parquet, of one dataset and model.
    pit, calibration
        Paths of the two figures to write.
    """
    tests = pooled_tests(predictions)
    (dataset, model, _), first = next(iter(tests.items()))
    by_name = {f"{series.model}, {series.inputs}": table for series, table in tests.items()}
    by_inputs = {series.inputs: table for series, table in tests.items()}
    save(pit_histograms(by_name, f"{dataset}: PIT\n{pooled_title(first)}"), pit)
    save(coverage_curves(by_inputs, f"{dataset}: {model}, coverage\n{pooled_title(first)}"), calibration)
