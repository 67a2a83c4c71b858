"""Scores of redshift PDFs at the true redshifts: sharpness, calibration, coverage."""

import numpy as np

from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture


def credible_level(mixtures: Mixture, y: np.ndarray) -> np.ndarray:
    """Probability of the highest-density set of y that just holds the true y; uniform if the PDFs are right.

    A 68 % set covers the truth where this is below 0.68.

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
    """
    level = np.empty(len(y))
    for rows, block in pdf.blocks(mixtures):
        p = pdf.density(block, pdf.even_grid(block))
        higher = p > pdf.density(block, y[rows])[:, None]
        level[rows] = (p * higher).sum(1) / p.sum(1)
    return level


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
