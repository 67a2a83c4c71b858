"""Forests as arrays: what trees worked out by hand say, and files that are not what they should be."""

import numpy as np
import pytest
from safetensors.numpy import save

from crossz.core.errors import CrosszError
from crossz.estimates import forest, pdf

LEAF = forest.LEAF


def of_two_trees(**changes):
    """Two trees of two features that reach from 0 to 65535, so that codes are values, and leaves of y from 0 to 65535."""
    arrays = {
        "feature": np.array([0, LEAF, 1, LEAF, LEAF, LEAF], np.uint8),  # x0 <= 10: 100; else x1 <= 20: 200, else 400
        "value": np.array([10, 100, 20, 200, 400, 300], np.uint16),
        "other": np.array([2, 0, 2, 5, 0, 0], np.uint16),
        "size": np.array([5, 1], np.int32),
        "span": np.array([[0, 65535.0]] * 2),
        "fill": np.array([0.0, 30.0]),
        "scale": np.array([0, 65535.0, 65535.0, 3.0, 2.0]),
    }
    return forest.Forest(**arrays | changes)


def written(path, made):
    path.write_bytes(forest.to_bytes(made))
    return path


def test_each_object_has_the_leaves_that_it_falls_into():
    x = np.array([[10.0, 99.0], [10.5, 20.0], [11.0, 20.5], [70000.0, np.nan], [-5.0, 0.0]])
    raw = forest.leaves(of_two_trees(), x)
    np.testing.assert_allclose(pdf.mean(raw), (np.array([100, 200, 400, 400, 100]) + 300) / 2)
    assert raw.sigma[1].max() == pytest.approx(5)  # of the leaf of 200


def test_pdfs_are_blurred_by_the_kernel_and_then_recalibrated():
    x = np.array([[10.5, 20.0]])
    raw, whole = forest.leaves(of_two_trees(), x), forest.pdfs(of_two_trees(), x)
    np.testing.assert_allclose(whole.sigma, 2 * np.hypot(raw.sigma, 3))


def test_many_objects_have_the_leaves_of_each_alone(monkeypatch):
    x = np.random.default_rng(0).uniform(0, 40, (50, 2))
    whole = forest.pdfs(of_two_trees(), x)
    monkeypatch.setattr(forest, "_AT_ONCE", 6)
    for some, all_of_them in zip(forest.pdfs(of_two_trees(), x), whole, strict=True):
        np.testing.assert_array_equal(some, all_of_them)
    assert len(forest.pdfs(of_two_trees(), x[:0]).weight) == 0


def test_an_object_is_complete_with_magnitudes_colours_and_errors():
    x = np.ones((3, forest.NEEDED + 2))
    x[1, 3] = x[2, -1] = np.nan
    np.testing.assert_array_equal(forest.complete(x), [True, False, True])


def test_a_file_holds_the_same_trees(tmp_path):
    for ours, theirs in zip(of_two_trees(), forest.loaded(written(tmp_path / "trees", of_two_trees())), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


CHAIN = np.array([0, LEAF] * 60 + [LEAF], np.uint8)
BROKEN = {
    "a feature that is not there": {"feature": np.array([2, LEAF, 1, LEAF, LEAF, LEAF], np.uint8)},
    "a child of another tree": {"other": np.array([5, 0, 2, 5, 0, 0], np.uint16)},
    "a child beyond the end": {"other": np.array([2, 0, 999, 5, 0, 0], np.uint16)},
    "itself as its child": {"other": np.array([0, 0, 2, 5, 0, 0], np.uint16)},
    "no leaf at the end": {"feature": np.zeros(6, np.uint8)},
    "too deep": {
        "feature": CHAIN,
        "value": np.zeros(121, np.uint16),
        "other": np.full(121, 2, np.uint16),
        "size": np.array([121], np.int32),
    },
    "sizes that do not add up": {"size": np.array([5, 2], np.int32)},
    "a negative size": {"size": np.array([7, -1], np.int32)},
    "no tree": {"size": np.array([], np.int32)},
    "a short array": {"value": np.zeros(5, np.uint16)},
    "other types": {"feature": np.zeros(6, np.int32)},
    "an empty span": {"span": np.zeros((2, 2))},
    "a span of other features": {"span": np.array([[0, 1.0]])},
    "not finite": {"fill": np.array([0.0, np.nan])},
    "a temperature of 0": {"scale": np.array([0, 1, 1, 1, 0.0])},
    "a short scale": {"scale": np.ones(2)},
}


@pytest.mark.parametrize("how", BROKEN)
def test_trees_that_lead_nowhere_are_refused(how, tmp_path):
    path = written(tmp_path / "trees.safetensors", of_two_trees(**BROKEN[how]))
    with pytest.raises(CrosszError, match=r"trees\.safetensors: not the trees of a bundle.*get the bundle again"):
        forest.loaded(path)


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, save({"feature": np.zeros(3, np.uint8)})])
def test_another_file_is_refused(content, tmp_path):
    (tmp_path / "trees").write_bytes(content)
    with pytest.raises(CrosszError, match="not the trees"):
        forest.loaded(tmp_path / "trees")
    with pytest.raises(CrosszError, match="not the trees"):
        forest.loaded(tmp_path / "absent")


def test_more_nodes_than_a_forest_may_have_are_refused_before_they_are_read(tmp_path, monkeypatch):
    path = written(tmp_path / "trees", of_two_trees())
    monkeypatch.setattr(forest, "MOST_NODES", 5)
    monkeypatch.setattr(forest, "_check", None)
    with pytest.raises(CrosszError, match="too large"):
        forest.loaded(path)
