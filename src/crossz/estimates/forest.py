"""A forest of regression trees as plain arrays: its file, and the redshift PDFs that it gives.

The arrays are those of a safetensors file. Nothing in them is executed, and `loaded` checks each number that decides where
the search for a leaf goes. NumPy alone evaluates them.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from crossz.core.errors import CrosszError
from crossz.estimates import parts, pdf
from crossz.estimates.pdf import Mixture

COMPONENTS = 4
"""Components of a PDF. With eight, the CRPS changes by less than 1 %."""
DEEPEST = 40
"""Steps from the root to the farthest leaf, at most."""
MOST_NODES = 4_000_000
"""Nodes of a forest, at most: 20 MB."""
LEAF = 255
"""Stands for the feature of a node that is a leaf."""
LARGEST_CODE = 65535
"""Of 16 bits."""
NEEDED = 14
"""Features at the front that an object must have: magnitudes, colours, errors. The others are filled in."""
_AT_ONCE = 1 << 16  # pairs of an object and a tree whose leaves are sought together: they stay in the processor's cache
_TOGETHER = 4  # steps before the pairs that have reached a leaf are set aside
_SHAPES = {
    "feature": ("U8", 1),
    "value": ("U16", 1),
    "other": ("U16", 1),
    "size": ("I32", 1),
    "span": ("F64", 2),
    "fill": ("F64", 1),
    "scale": ("F64", 1),
}  # type and dimensions of each array of a file


class Forest(NamedTuple):
    """Trees one after the other, each with its root first and the left child of a node right behind the node."""

    feature: np.ndarray
    """uint8 [m] the feature that a node compares; LEAF of a leaf."""
    value: np.ndarray
    """uint16 [m] code of the largest value that goes left, or of a leaf's mean y."""
    other: np.ndarray
    """uint16 [m] distance to the right child, or code of the standard deviation of y in a leaf."""
    size: np.ndarray
    """int32 [t] nodes of each tree."""
    span: np.ndarray
    """float64 [f, 2] what the codes 0 and 65535 mean of each feature."""
    fill: np.ndarray
    """float64 [f] value of a feature that is missing."""
    scale: np.ndarray
    """float64 [5]: y of the codes 0 and 65535, sigma of the code 65535, width of the kernel, temperature."""


def to_bytes(forest: Forest) -> bytes:
    """The safetensors file of a forest."""
    return save({name: np.ascontiguousarray(array) for name, array in forest._asdict().items()})


def loaded(path: str | Path) -> Forest:
    """Read the file of a forest.

    Raises
    ------
    CrosszError
        It is no such file, or one whose trees have no end, no leaves, or too many of them.
    """
    try:
        with safe_open(path, "np") as handle:
            slices = {name: handle.get_slice(name) for name in handle.keys()}  # noqa: SIM118 (no mapping)
            found = {name: (part.get_dtype(), len(part.get_shape())) for name, part in slices.items()}
            if found != _SHAPES or slices["feature"].get_shape()[0] > MOST_NODES:
                raise ValueError("other arrays, or too large ones")
            forest = Forest(**{name: handle.get_tensor(name) for name in Forest._fields})
        _check(forest)
    except (OSError, SafetensorError, ValueError) as error:
        message = " ".join(str(error).split())[:300]
        raise CrosszError(f"{path}: not the trees of a bundle: {message}; get the bundle again") from error
    return forest


def _check(forest: Forest) -> None:
    # Raises ValueError unless every node leads to a leaf of its own tree.
    nodes, features = len(forest.feature), len(forest.fill)
    if not len(forest.value) == len(forest.other) == nodes or forest.span.shape != (features, 2):
        raise ValueError("arrays of different lengths")
    numbers = forest.span, forest.fill, forest.scale
    if len(forest.scale) != 5 or not all(np.isfinite(array).all() for array in numbers) or features >= LEAF:
        raise ValueError("numbers that are not finite, or too many features")
    if (forest.span[:, 1] <= forest.span[:, 0]).any() or forest.scale[2] < 0 or (forest.scale[3:] <= 0).any():
        raise ValueError("a range without width")
    if not len(forest.size) or (forest.size < 1).any() or forest.size.sum(dtype=np.int64) != nodes:
        raise ValueError("trees that do not add up")
    inner = np.flatnonzero(forest.feature != LEAF)
    end = np.repeat(np.cumsum(forest.size, dtype=np.int64), forest.size)
    right = inner + forest.other[inner]
    if (forest.feature[inner] >= features).any() or (forest.other[inner] < 2).any() or (right >= end[inner]).any():
        raise ValueError("a node that leads out of its tree")
    level = np.cumsum(forest.size, dtype=np.int64) - forest.size
    for _ in range(DEEPEST + 1):
        level = level[forest.feature[level] != LEAF]
        level = np.unique(np.concatenate([level + 1, level + forest.other[level]]))
        if not len(level):
            return
    raise ValueError("a tree that is too deep")


def complete(features: np.ndarray) -> np.ndarray:
    """Whether each object [n] has the first NEEDED of its `features` [n, f]."""
    return np.isfinite(features[:, :NEEDED]).all(1)


def pdfs(forest: Forest, features: np.ndarray) -> Mixture:
    """What the leaves say that objects with `features` [n, f] fall into, one of each tree."""
    raw = leaves(forest, features)
    return pdf.temperature_scaled(parts.blurred(raw, forest.scale[3]), forest.scale[4])


def leaves(forest: Forest, features: np.ndarray) -> Mixture:
    """As `pdfs`, before it is blurred and recalibrated."""
    low, high, widest = forest.scale[:3]
    found = [Mixture(*np.empty((3, 0, COMPONENTS)))]
    step = max(_AT_ONCE // len(forest.size), 1)
    child = _children(forest)
    for start in range(0, len(features), step):
        leaf = _leaf(forest, child, codes(forest, features[start : start + step]))
        mean = low + (high - low) / LARGEST_CODE * forest.value[leaf]
        variance = (widest / LARGEST_CODE * forest.other[leaf]) ** 2
        found.append(parts.merged(mean, variance, np.full(leaf.shape, 1 / leaf.shape[1]), COMPONENTS))
    return Mixture(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def codes(forest: Forest, features: np.ndarray) -> np.ndarray:
    """`features` [n, f] as int32 codes: a value goes left of a threshold if its code is at most that of the threshold."""
    low, high = forest.span.T
    filled = np.where(np.isfinite(features), features, forest.fill)
    return np.clip(np.ceil((filled - low) * (LARGEST_CODE / (high - low))), 0, LARGEST_CODE).astype(np.int32)


class _Steps(NamedTuple):
    # Of each node [m]: what it compares, and how far its children are. A leaf has one child, itself.
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray


def _children(forest: Forest) -> _Steps:
    inner = forest.feature != LEAF
    return _Steps(
        np.where(inner, forest.feature, 0).astype(np.int32),
        np.where(inner, forest.value, LARGEST_CODE).astype(np.int32),
        inner.astype(np.int32),
        np.where(inner, forest.other, 0).astype(np.int32),
    )


def _leaf(forest: Forest, child: _Steps, code: np.ndarray) -> np.ndarray:
    # The leaf [n, t] of each object in each tree, of codes [n, f].
    trees, (count, features) = len(forest.size), code.shape
    root = np.cumsum(forest.size, dtype=np.int32) - forest.size
    found = np.empty(count * trees, np.int32)
    node, start = np.tile(root, count), np.repeat(np.arange(count, dtype=np.int32) * features, trees)
    place, flat = np.arange(count * trees, dtype=np.int32), code.ravel()
    while len(place):
        for _ in range(_TOGETHER):
            right = flat.take(start + child.feature.take(node)) > child.threshold.take(node)
            node += np.where(right, child.right.take(node), child.left.take(node))
        going = child.left.take(node) > 0
        found[place[~going]] = node[~going]
        node, start, place = node[going], start[going], place[going]
    return found.reshape(count, trees)
