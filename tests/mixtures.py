"""Gaussian mixtures and draws from them."""

import numpy as np

from crossz.estimates.pdf import Mixture


def mixtures(n=400, k=3, seed=0):
    rng = np.random.default_rng(seed)
    return Mixture(rng.dirichlet(np.ones(k), n), rng.normal(1.1, 0.2, (n, k)), rng.uniform(0.02, 0.15, (n, k)))


def draw(found, seed=1):
    """One y of each mixture."""
    rng = np.random.default_rng(seed)
    which = (rng.random(len(found.weight))[:, None] > found.weight.cumsum(1)[:, :-1]).sum(1)
    rows = np.arange(len(which))
    return rng.normal(found.mean[rows, which], found.sigma[rows, which])
