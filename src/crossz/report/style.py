"""The look of all figures: fonts, colours, markers and lines, and how a figure is laid out and saved."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from crossz.core.files import atomic_path

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "legend.frameon": False,
    "figure.dpi": 200,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
}
"""Settings of matplotlib for `plt.rc_context`."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Colours that colour-blind readers can distinguish (Okabe & Ito 2008)."""

Line = str | tuple[int, tuple[float, ...]]
"""A line style of matplotlib: its name, or an offset and the lengths of dashes and gaps in points."""
Look = tuple[str, str, Line]
"""Colour, marker and line style of one series."""

LOOKS: dict[str, Look] = {
    "phot+img": (COLOURS[0], "o", "-"),
    "phot_gen+img": (COLOURS[1], "s", "--"),
    "phot+img_gen": (COLOURS[2], "^", "-."),
    "phot_gen+img_gen": (COLOURS[3], "D", ":"),
    "phot": ("#56B4E9", "v", (0, (5, 1, 1, 1, 1, 1))),
    "img": ("#E69F00", "P", (0, (7, 2))),
    "phot+spec_gen": ("k", "<", "-"),
    "spec": ("k", "p", "--"),
}
"""The look of each input pattern, the same in all figures."""
OTHER_LOOK: Look = ("k", "*", "-")
"""The look of input patterns that are not in LOOKS."""
REFERENCE_LOOKS: dict[str, Look] = {
    "mean": ("#8c8c8c", "_", "-"),
    "knn": ("#a8a8a8", "1", "-."),
    "random_forest": ("#a8a8a8", "+", (0, (1, 1))),
    "extra_trees": ("#6e6e6e", "x", (0, (4, 1.5))),
    "gradient_boosting": ("#8c8c8c", "2", (0, (6, 1))),
    "mlp": ("#6e6e6e", "3", (0, (3, 1, 1, 1))),
}
"""The look of each photometry-only reference, the same in all figures."""
LABEL_ABOVE = {"textcoords": "offset points", "ha": "center", "va": "bottom", "fontsize": 7}
"""Arguments of `Axes.annotate` for a label above a panel."""


def settle(figure: Figure) -> None:
    """Lay out the figure once and fix the positions of its axes, rounded to six decimals.

    The layout engine sums in the order of memory addresses. The last digits of its result differ from run to run,
    and a PDF file has ten decimals.
    """
    with plt.rc_context(STYLE):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = np.round(axes.get_position(original=True).bounds, 6)
        axes.set_position((left, bottom, width, height))


def save(figure: Figure, paths: Iterable[str | Path]) -> None:
    """Write the figure to each path in the format of its suffix, then close it.

    The files carry no date: equal figures give equal bytes.
    """
    settle(figure)
    for path in paths:
        date = {"CreationDate": None} if Path(path).suffix == ".pdf" else {"Software": None}
        with atomic_path(path) as temporary, plt.rc_context(STYLE):
            figure.savefig(temporary, metadata=date)
    plt.close(figure)


def objects_word(z_spec: np.ndarray) -> str:
    """What the objects of a sample [n] are called: galaxies, if all lie below z = 1."""
    return "quasars" if np.max(z_spec) >= 1 else "galaxies"


def splits_text(count: int) -> str:
    """The number of splits in words: "1 split", "5 splits"."""
    return f"{count} split{'s' if count != 1 else ''}"
