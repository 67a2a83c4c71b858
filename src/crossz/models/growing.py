"""The trees of the stack: ExtraTrees that scikit-learn grows on the training part, as plain arrays (`estimates.forest`)."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.estimates import forest as forests
from crossz.estimates import parts, pdf
from crossz.estimates.estimates import Pdf
from crossz.estimates.forest import DEEPEST, LARGEST_CODE, LEAF, Forest
from crossz.images.store import ImageStore
from crossz.models import features as ft
from crossz.models.rows import load_rows

log = logging.getLogger(__name__)

FEWEST_TREES, MOST_TREES = 24, 100
"""Trees of a split: the fewest of many training objects, where a bundle would be too large with more; the most of some thousand."""
_LEAF, _MOST_LEAVES = 3, 4000  # training objects of a leaf at least, and leaves of a tree at most
_CALIBRATED_ON = 20_000  # validation objects that a temperature is fitted on: many more than one number needs


def trees_of(objects: int) -> int:
    """Number of trees that so many training objects get: the file is at most that of FEWEST_TREES with all their leaves.

    On 1,264 real quasars, 100 trees instead of 24 have a sigma_nmad that is 3 % smaller, and an RMSE that is 1 % smaller
    (validation parts); 200 gain no more than another 1 %.
    """
    return int(np.clip(FEWEST_TREES * _MOST_LEAVES * _LEAF // max(objects, 1), FEWEST_TREES, MOST_TREES))


def grow(features: np.ndarray, y: np.ndarray, seed: int, threads: int = 1) -> Forest:
    """ExtraTrees (Geurts et al. 2006) with thresholds and leaves of 16 bits, not yet calibrated.

    Parameters
    ----------
    features
        Of t objects [t, f], NaN where one is missing.
    y
        Their ln(1 + z) [t].
    seed
        Seed of the random generator.
    threads
        Threads to grow with. The trees are the same for any number.
    """
    known = np.isfinite(features)
    fill = np.nanmedian(np.where(known.any(0), features, 0.0), axis=0)
    filled = np.where(known, features, fill)
    low, high = filled.min(0), filled.max(0)
    span = np.stack([low, np.where(high > low, high, low + 1)], axis=1)
    none = np.zeros(0)
    bare = Forest(none, none, none, none, span, fill, np.zeros(5))
    model = ExtraTreesRegressor(
        trees_of(len(y)),
        min_samples_leaf=max(_LEAF, -(-len(y) // _MOST_LEAVES)),
        max_features=1.0,
        max_depth=DEEPEST,
        random_state=seed,
        n_jobs=threads,
    )
    model.fit(forests.codes(bare, filled), y)
    return _as_arrays(bare, [one.tree_ for one in model.estimators_])


def _as_arrays(bare: Forest, trees: Sequence) -> Forest:
    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(tree, name) for tree in trees])

    leaf = joined("feature") < 0
    mean, spread = joined("value")[:, 0, 0], np.sqrt(np.maximum(joined("impurity"), 0.0))
    low, widest = mean[leaf].min(), max(spread[leaf].max(), 1e-6)
    high = max(mean[leaf].max(), low + 1e-6)
    distance = np.concatenate([tree.children_right - np.arange(tree.node_count) for tree in trees])
    said = np.rint((mean - low) / (high - low) * LARGEST_CODE)
    return bare._replace(
        feature=np.where(leaf, LEAF, joined("feature")).astype(np.uint8),
        value=np.where(leaf, said, np.floor(joined("threshold"))).astype(np.uint16),
        other=np.where(leaf, np.rint(spread / widest * LARGEST_CODE), distance).astype(np.uint16),
        size=np.array([tree.node_count for tree in trees], np.int32),
        scale=np.array([low, high, widest, 1e-3, 1.0]),
    )


def calibrated(forest: Forest, features: np.ndarray, y: np.ndarray) -> Forest:
    """The same trees with the kernel and the temperature that suit the validation part: features [m, f], targets [m]."""
    if not len(y):
        return forest
    some = np.arange(0, len(y), -(-len(y) // _CALIBRATED_ON))
    raw = forests.leaves(forest, features[some])
    width = parts.kernel(pdf.mean(raw), y[some])
    temperature = pdf.fit_temperature(parts.blurred(raw, width), y[some])
    return forest._replace(scale=np.array([*forest.scale[:3], width, temperature]))


def write_trees(
    *,
    catalog: str | Path,
    splits: Sequence[str | Path],
    index: str | Path,
    trees: Sequence[str | Path],
    said: Sequence[str | Path],
    magnitudes: str,
    columns: Sequence[str] = (),
    seed: int,
    threads: int = 1,
) -> None:
    """Grow the trees of all splits, and write what they say of the validation and test rows whose photometry is complete.

    Parameters
    ----------
    catalog, splits, index
        Paths of a catalog, of its splits, and of the index of images, which says which rows every model sees.
    trees, said
        Paths of the files to write, one of each split: the trees (`forest.loaded`); objID and PDFs.
    magnitudes, columns
        Kind of magnitudes, and extra columns of the catalog, that the network sees.
    seed
        Seed of the random generator; that of a split is as much larger as its number.
    threads
        Threads to use.

    Raises
    ------
    CrosszError
        A part of a split is empty, or too few training rows are complete.
    """
    store = ImageStore(index, [])  # no image is looked at
    for number, (split, tree, table) in enumerate(zip(splits, trees, said, strict=True)):
        rows = load_rows(catalog, split, store)
        features = ft.of_trees(ft.photometry(rows, magnitudes, columns))
        y, subset = np.log1p(rows["z"].to_numpy()), rows["subset"].to_numpy()
        whole = forests.complete(features)
        train, val, held = (whole & part for part in (subset == "train", subset == "val", subset != "train"))
        if train.sum() < 2 * _LEAF:
            raise CrosszError(
                f"{split}: {train.sum()} training rows with magnitudes and errors in all bands are too few for the trees of "
                "the stack; set stack: false"
            )
        forest = grow(features[train], y[train], seed + number, threads)
        forest = calibrated(forest, features[val], y[val])
        with atomic_path(tree) as temporary:
            temporary.write_bytes(forests.to_bytes(forest))
        estimate = Pdf(forests.pdfs(forest, features[held]))
        columns_of = {
            f"{name}_{k}": part for name, array in estimate.mixture._asdict().items() for k, part in enumerate(array.T)
        }
        with atomic_path(table) as temporary:
            pd.DataFrame({"objID": rows["objID"].to_numpy()[held]} | columns_of).to_parquet(temporary, index=False)
        error = estimate.take(np.flatnonzero(val[held])).error(rows["z"].to_numpy()[val]) if val.any() else np.nan
        log.info(f"split {number}: {len(forest.size)} trees of {len(forest.feature):,} nodes, val RMSE {error:.4f}")
