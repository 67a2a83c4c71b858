"""The ends of the redshifts that networks know, and the PDFs that reach beyond them.

Networks know no redshift beyond those of their training. An object beyond gets one near the end, and some of its PDF lies
beyond the end. So does some of the PDF of an object just within: the two look alike. Either redshift is a limit.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crossz.estimates import pdf
from crossz.estimates.pdf import Mixture

AT_END = 0.025
"""Probability beyond an end from which on a PDF reaches beyond it: its central interval of 95 % does."""
_BEYOND = 10, 0.01  # objects, and share of them: so many lie beyond an end at most


def ends_of(tables: Sequence[pd.DataFrame]) -> list[float] | None:
    """The lowest and the highest redshift that networks know. A few lie beyond: no single wrong redshift is an end.

    Parameters
    ----------
    tables
        Predictions of each split, of objects that it has not trained on. Other splits have.

    Returns
    -------
    list or None
        Two redshifts; None of classes.
    """
    if "z_spec" not in tables[0]:
        return None
    z = pd.concat([table[["objID", "z_spec"]] for table in tables]).drop_duplicates("objID")["z_spec"]
    beyond = min(_BEYOND[0], int(_BEYOND[1] * len(z)))
    ordered = np.sort(z.to_numpy(float))
    return [float(ordered[beyond]), float(ordered[-1 - beyond])]


def at_ends(mixture: Mixture, ends: Sequence[float]) -> np.ndarray:
    """Whether PDFs of n objects reach beyond the lower and beyond the higher of two redshifts, [n, 2]."""
    below = [pdf.cdf(mixture, np.full(len(mixture.weight), np.log1p(end))) for end in ends]
    return np.stack([below[0], 1 - below[1]], axis=1) > AT_END
