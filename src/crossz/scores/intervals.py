"""Intervals of the difference of two models that were trained and tested on the same random splits."""

import numpy as np
from scipy.special import stdtrit

SHARE = 0.95
"""Probability of the intervals."""


def corrected(differences: np.ndarray, test_to_train: float) -> tuple[float, float]:
    """Corrected resampled t interval of the mean difference: it counts other training samples and other objects.

    The variance of the mean of J differences is taken as (1 / J + n_test / n_train) times their variance, because the
    splits share objects. The quantile is that of Student's t with J - 1 degrees of freedom: 2.78 for five splits.

    Parameters
    ----------
    differences
        Difference of a score in each split [J].
    test_to_train
        n_test / n_train of a split.

    Returns
    -------
    tuple
        Lower and upper end; NaN of a single split, which says nothing about another training.

    References
    ----------
    Nadeau & Bengio (2003), Machine Learning 52, 239.
    """
    count = len(differences)
    if count < 2:
        return np.nan, np.nan
    variance = (1 / count + test_to_train) * differences.var(ddof=1)
    half = stdtrit(count - 1, (1 + SHARE) / 2) * np.sqrt(variance)
    middle = differences.mean()
    return float(middle - half), float(middle + half)


def objects_only(samples: np.ndarray) -> tuple[float, float]:
    """Percentile interval of a difference, from samples [n] of a bootstrap over objects; the trained models stay.

    It is too narrow for a statement about methods: it leaves out that another training gives another model.
    """
    low, high = np.quantile(samples, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return float(low), float(high)
