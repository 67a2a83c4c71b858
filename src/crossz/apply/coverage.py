"""How far the training objects of a network are like some targets: density-ratio weights, effective sample size, a plot.

The weight of a training object is the density of targets over that of training objects about it: the number of targets
within the distance of its 16th neighbour among the training objects (Lima et al. 2008, MNRAS 390, 118). Distances are those
of magnitude i and of four colours, each in units of its spread over the training objects.
"""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from crossz.apply.bundle import Bundle, load_bundle
from crossz.apply.column_pairs import column_pairs
from crossz.apply.domain import photometry_features
from crossz.apply.foreign_estimates import read_whole
from crossz.apply.predict import photometry_of
from crossz.catalog.columns import COLUMNS
from crossz.catalog.lists import check_needed, reading, renamed
from crossz.catalog.readers import fields_of
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.report.style import COLOURS, STYLE, plt, save

log = logging.getLogger(__name__)

NEIGHBOURS = 16
"""Whose distance is the radius about a training object."""
_FEWEST = 100  # training objects
_AXES = ("i", "u - g", "g - r", "r - i", "i - z")
_BINS = 30


class Coverage(NamedTuple):
    """Of n training objects, and m targets."""

    weight: np.ndarray
    """[n] their sum is 1; all zero if no target is near any of them."""
    covered: np.ndarray
    """[m] whether a target lies within the radius of one of its nearest training objects, and so is counted by a weight."""

    @property
    def effective(self) -> float:
        """So many training objects of equal weight would know as much: (sum of w)^2 / sum of w^2."""
        square = float((self.weight**2).sum())
        return 1 / square if square else 0.0

    def __str__(self) -> str:
        return (
            f"{len(self.weight):,} training objects are worth {self.effective:,.0f} when weighted like the targets; "
            f"{self.covered.mean():.0%} of {len(self.covered):,} targets have training objects about them"
        )


def coverage(train: np.ndarray, targets: np.ndarray) -> Coverage:
    """Weights of training objects [n, k], and which targets [m, k] they cover; all values must be finite.

    Parameters
    ----------
    train, targets
        Features. Each is divided by its spread over the training objects.
    """
    low, high = np.percentile(train, [16, 84], axis=0)
    width = np.maximum((high - low) / 2, 1e-3)
    train, targets = train / width, targets / width
    tree = cKDTree(train)
    radius = tree.query(train, NEIGHBOURS + 1)[0][:, -1]
    count = cKDTree(targets).query_ball_point(train, radius, return_length=True).astype(float)
    distance, which = tree.query(targets, NEIGHBOURS)
    return Coverage(count / max(count.sum(), 1.0), (distance <= radius[which]).any(1))


def compared(
    table: str | Path, network: str, columns: Sequence[str] = (), units: str | None = None
) -> Callable[[Path], Path]:
    """Compare a table of estimates with the training objects of a network.

    `columns` and `units` are the words of --columns and --units. Raises what `column_pairs` and `comparison` raise.

    Returns
    -------
    callable
        Draws the plot beside a file, so that nothing is written before everything was checked; the plot's name.
    """
    bundle = load_bundle(network)
    pairs = column_pairs(columns, {*COLUMNS, *bundle.splits[0].info.columns})
    found, plot = comparison(table, bundle, pairs, units)

    def draw(out: Path) -> Path:
        log.info(str(found))
        png = out.with_name(f"{out.stem}-training.png")
        plot(png)
        return png

    return draw


def comparison(
    table: str | Path, bundle: Bundle, columns: Mapping[str, str] | None = None, units: str | None = None
) -> tuple[Coverage, Callable[[Path], None]]:
    """Weights of the training objects, and what draws magnitude and colours of them, with and without weights, and of the targets.

    Parameters
    ----------
    table
        What `crossz predict` wrote, with the magnitudes that the user's table had; or that table.
    bundle
        The network.
    columns, units
        As in `lists.read_table`.

    Raises
    ------
    CrosszError
        The network reads no photometry or does not know its training objects, or no target has magnitudes in all bands.
    """
    train = _training(bundle)
    targets = _features(_targets(table, bundle, columns, units))
    if not len(targets):
        raise CrosszError(f"{table}: no row has magnitudes and errors in all bands: nothing to compare")
    found = coverage(train, targets)
    return found, functools.partial(_plot, train, targets, found)


def _training(bundle: Bundle) -> np.ndarray:
    if bundle.domain is None or "phot_train" not in bundle.domain.rows:
        raise CrosszError(
            "the network does not know the magnitudes of its training objects; export it again, or take another"
        )
    train = _features(bundle.domain.rows["phot_train"])
    if len(train) < _FEWEST:
        raise CrosszError(f"the network knows {len(train)} training objects with all bands; {_FEWEST} are needed")
    return train


def _targets(table: str | Path, bundle: Bundle, columns: Mapping[str, str] | None, units: str | None) -> np.ndarray:
    info = bundle.splits[0].info
    given = read_whole(table)
    how = reading(fields_of(given.schema), str(table), columns, info.columns, units)
    check_needed(how, bundle.columns)
    return photometry_features(photometry_of(renamed(given, how).to_pandas(), info.magnitudes, info.columns, True))


def _features(values: np.ndarray) -> np.ndarray:
    """i and four colours [m, 5] of the objects whose magnitudes [n, 5 + k] are all known."""
    mag = values[:, : len(BANDS)]
    mag = mag[np.isfinite(mag).all(1)]
    return np.concatenate([mag[:, [BANDS.index("i")]], mag[:, :-1] - mag[:, 1:]], axis=1)


def _plot(train: np.ndarray, targets: np.ndarray, found: Coverage, path: Path) -> None:
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(1, len(_AXES), figsize=(9.6, 2.6))
        for axes, name, ours, theirs in zip(panels, _AXES, train.T, targets.T, strict=True):
            ends = np.percentile(np.concatenate([ours, theirs]), [0.5, 99.5])
            bins = np.linspace(ends[0], max(ends[1], ends[0] + 0.01), _BINS + 1)
            inside = {"bins": bins, "density": True}
            axes.hist(theirs, **inside, color="0.8", label="targets")
            axes.hist(ours, **inside, histtype="step", color=COLOURS[0], label="training")
            if found.effective:
                weighted = {"weights": found.weight, "histtype": "step", "color": COLOURS[1], "ls": "--"}
                axes.hist(ours, **inside, **weighted, label="training, weighted")
            axes.set(xlabel=name, yticks=[])
        panels[0].legend(fontsize=7)
        figure.suptitle(str(found), fontsize=8)
    save(figure, [path])
