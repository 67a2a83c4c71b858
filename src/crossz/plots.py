"""The paper's figures: redshift distribution (Figure 1), estimates against spectra (Figure 3). PNG and PDF."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as pq
from matplotlib.colors import LogNorm

from crossz.files import atomic_path
from crossz.metrics import score
from crossz.samples import dz, read_predictions

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "figure.dpi": 200,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
}
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]  # Okabe & Ito: told apart by colour-blind readers


def save(figure: plt.Figure, paths: Iterable[str | Path]) -> None:
    """Write the figure to each path in the format of its suffix, without a date: equal figures are equal bytes."""
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
        bins = np.arange(np.floor(every.min() * 10), np.ceil(every.max() * 10) + 1) / 10
        for (name, values), colour in zip(z.items(), COLOURS, strict=False):
            axes.hist(values, bins, histtype="stepfilled", color=colour, alpha=0.15)
            axes.hist(values, bins, histtype="step", color=colour, lw=1.4, label=f"{name}: {len(values):,} quasars")
        axes.set(xlabel=r"spectroscopic redshift $z_\mathrm{spec}$", ylabel="quasars per 0.1 in z")
        axes.set_ylim(top=1.18 * axes.get_ylim()[1])  # room for the legend
        axes.legend(frameon=False, loc="upper right")
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
        figure.colorbar(drawn, ax=left, shrink=0.85).ax.set_title("objects", fontsize=8)
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
        left.legend(frameon=False, loc="upper left", fontsize=7)
        right.hist(np.clip(error, -0.5, 0.5), np.linspace(-0.5, 0.5, 81), color=COLOURS[0], alpha=0.85)
        right.set(
            yscale="log",
            xlabel=r"$\Delta z = (z_\mathrm{phot}-z_\mathrm{spec})/(1+z_\mathrm{spec})$",
            ylabel="objects per 0.0125",
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


def write_redshift_histogram(catalog_paths: Sequence[str | Path], paths: Iterable[str | Path]) -> None:
    """Figure 1 of the catalogues {dataset}.parquet."""
    save(redshift_histogram({Path(path).stem: pq.read_table(path)["z"].to_numpy() for path in catalog_paths}), paths)


def write_estimates(
    prediction_paths: Sequence[str | Path], png_paths: Sequence[str | Path], pdf_paths: Sequence[str | Path]
) -> None:
    """Figure 3 of one dataset, one figure {inputs}.png and .pdf an input pattern: the test rows of all splits together."""
    tables = list(read_predictions(prediction_paths))
    for png, pdf in zip(png_paths, pdf_paths, strict=True):
        mine = [row for row in tables if row[3] == Path(png).stem]
        dataset, model, _, inputs, _ = mine[0]
        tests = [table[table["subset"] == "test"] for *_, table in mine]
        z_spec, z_phot = (np.concatenate([test[name] for test in tests]) for name in ("z_spec", "z_phot"))
        title = f"{dataset}: {model}, {inputs}; test parts of {len(tests)} split{'s' if len(tests) > 1 else ''}"
        save(estimate(z_spec, z_phot, title), [png, pdf])
