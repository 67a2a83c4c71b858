"""Shards of whole fields; parts of whole groups."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossz.catalog import plan, splits
from crossz.core.errors import CrosszError


def catalog(fields):
    objects = [(i, run, camcol, field) for i, (run, camcol, field) in enumerate(fields)]
    table = pd.DataFrame(objects, columns=["objID", "run", "camcol", "field"])
    return table.assign(specObjID=1, rerun=301, ra=0.0, dec=0.0)


objects = st.lists(
    st.tuples(
        st.integers(94, 96),
        st.integers(1, 2),
        st.integers(11, 14),
        st.sampled_from(["first", "second", "both"]),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=50)
@given(objects, st.integers(1, 8))
def test_every_object_once_no_field_torn_and_fields_in_order(objects, shards):
    union = catalog([row[:3] for row in objects])
    where = np.array([row[3] for row in objects])
    parts = plan.plan([union[where != "second"], union[where != "first"]], shards)
    assert len(parts) == shards
    everything = pd.concat(parts)
    assert sorted(everything.objID) == list(range(len(objects)))
    in_order = everything.sort_values(["rerun", "run", "camcol", "field", "objID"])
    assert everything.objID.tolist() == in_order.objID.tolist()
    many = everything[["run", "camcol", "field"]].drop_duplicates()
    if len(many) > 1:
        per_part = [part[["run", "camcol", "field"]].drop_duplicates() for part in parts]
        assert sum(map(len, per_part)) == len(many)


def test_shards_are_balanced_when_fields_are_small():
    fields = [(run, 1, field) for run in range(10) for field in range(20) for _ in range(5)]
    sizes = [len(part) for part in plan.plan([catalog(fields)], 8)]
    assert max(sizes) - min(sizes) <= 5


def test_objects_without_fields_are_spread(tmp_path):
    table = catalog([(0, 0, 0)] * 10).assign(run=pd.NA)
    assert [len(part) for part in plan.plan([table], 2)] == [5, 5]
    table.astype({"run": "Int32"}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(CrosszError, match="run missing"):
        plan.write_plan([tmp_path / "c.parquet"], [tmp_path / "s.parquet"], needs_fields=True)


@given(
    st.lists(st.integers(0, 400), min_size=30, max_size=300),
    st.integers(0, 9),
    st.randoms(use_true_random=False),
)
def test_groups_stay_whole_and_order_does_not_matter(group, number, random):
    group = np.array(group, np.int64)
    subset = splits.split(group, [0.6, 0.2, 0.2], 2023, number)
    assert all(len(set(subset[group == name])) == 1 for name in np.unique(group))
    order = np.array(random.sample(range(len(group)), len(group)))
    assert (splits.split(group[order], [0.6, 0.2, 0.2], 2023, number) == subset[order]).all()


def test_shares_are_exact_and_splits_differ():
    group = np.arange(1000)
    first, second = (splits.split(group, [0.6, 0.2, 0.2], 2023, number) for number in (0, 1))
    for subset in (first, second):
        assert [(subset == name).sum() for name in splits.SUBSETS] == [600, 200, 200]
    both_test = ((first == "test") & (second == "test")).sum()
    assert 15 < both_test < 65  # 40 expected of two independent fifths
    assert (splits.split(group, [0.6, 0.2, 0.2], 7, 0) != first).any()


def test_an_empty_part_is_refused_and_nothing_written(tmp_path):
    pd.DataFrame({"objID": [1, 2], "group": [1, 1]}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(CrosszError, match="empty part"):
        splits.write_splits(tmp_path / "c.parquet", [tmp_path / "0.parquet"], [0.6, 0.2, 0.2], 1)
    assert not (tmp_path / "0.parquet").exists()


def test_written_splits_hold_every_object(tmp_path):
    pd.DataFrame({"objID": np.arange(50), "group": np.arange(50)}).to_parquet(tmp_path / "c.parquet")
    paths = [tmp_path / f"{k}.parquet" for k in range(2)]
    splits.write_splits(tmp_path / "c.parquet", paths, [0.6, 0.2, 0.2], 1)
    for path in paths:
        assert pq.read_table(path)["objID"].to_pylist() == list(range(50))
