"""Scores of redshift PDFs at the true redshifts: sharpness, calibration, coverage."""

import numpy as np

from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture

_OFFSETS = np.linspace(-6, 6, 49)  # of the points about a component, in its sigmas
_HALVINGS = 45  # of the space between two points


def credible_level(mixtures: Mixture, y: np.ndarray) -> np.ndarray:
    """Probability of the highest-density set of y that just holds the true y; uniform if the PDFs are right.

    A 68 % set covers the truth where this is below 0.68. The ends of the set are found to rounding, however narrow a
    component is.

    Parameters
    ----------
    mixtures
        PDFs of n objects in y = ln(1 + z).
    y
        True values [n].

    Returns
    -------
    np.ndarray
        Probabilities [n].

    References
    ----------
    Hyndman (1996), Am. Stat. 50, 120: highest-density regions.
    """
    own = pdf.density(mixtures, y)
    row, low, high, begins = _brackets(mixtures, y, own)
    of_end = Mixture(*(array[row] for array in mixtures))
    for _ in range(_HALVINGS):
        half = (low + high) / 2
        beyond = (pdf.density(of_end, half) > own[row]) == begins
        low, high = np.where(beyond, low, half), np.where(beyond, half, high)
    below = pdf.cdf(of_end, high)
    return np.bincount(row, np.where(begins, -below, below), minlength=len(y))


def _brackets(mixtures: Mixture, y: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, ...]:
    # Each end of each set of densities above `own`: its object, two points about it, and whether the set begins there.
    # Each component brings points that are close on its own scale; an even grid steps over a narrow one.
    found = []
    for rows, block in pdf.blocks(mixtures):
        here = y[rows, None]
        points = (block.mean[:, :, None] + block.sigma[:, :, None] * _OFFSETS).reshape(len(here), -1)
        points = np.sort(np.concatenate([points, here], axis=1), axis=1)
        higher = np.pad(pdf.density(block, points) > own[rows, None], ((0, 0), (1, 1)))
        points = np.pad(points, ((0, 0), (1, 1)), mode="edge")
        row, place = np.nonzero(higher[:, 1:] != higher[:, :-1])
        found.append((rows.start + row, points[row, place], points[row, place + 1], higher[row, place + 1]))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def ks_distance(pit: np.ndarray) -> float:
    """Largest distance of the distribution of the PIT [n] from the uniform one (Kolmogorov-Smirnov)."""
    pit = np.sort(pit)
    n = len(pit)
    return float(max((np.arange(1, n + 1) / n - pit).max(), (pit - np.arange(n) / n).max()))


def score(mixtures: Mixture, z: np.ndarray) -> dict[str, float]:
    """Scores of the PDFs of n objects.

    Parameters
    ----------
    mixtures
        PDFs of n objects in y = ln(1 + z).
    z
        True redshifts [n].

    Returns
    -------
    dict
        crps: mean continuous ranked probability score, in units of dz. pit_ks: `ks_distance`. coverage_68 and
        coverage_95: share of the objects whose highest-density set of that level holds the truth. nll: mean negative
        log-likelihood of y, in nats.

    References
    ----------
    Gneiting & Raftery (2007), J. Am. Stat. Assoc. 102, 359: CRPS (eq. 20) and log-likelihood as proper scores.
    """
    y = np.log1p(np.asarray(z, float))
    level = credible_level(mixtures, y)
    return {
        "crps": float(pdf.crps(mixtures, y).mean()),
        "pit_ks": ks_distance(pdf.cdf(mixtures, y)),
        "coverage_68": float((level <= 0.68).mean()),
        "coverage_95": float((level <= 0.95).mean()),
        "nll": float(-np.log(np.maximum(pdf.density(mixtures, y), 1e-300)).mean()),
    }
