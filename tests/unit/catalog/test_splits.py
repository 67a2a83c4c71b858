"""Parts of complete groups."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossz.catalog import splits
from crossz.core.errors import CrosszError


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
        splits.write_splits(
            catalog=tmp_path / "c.parquet", splits=[tmp_path / "0.parquet"], fractions=[0.6, 0.2, 0.2], seed=1
        )
    assert not (tmp_path / "0.parquet").exists()


def test_written_splits_hold_every_object(tmp_path):
    pd.DataFrame({"objID": np.arange(50), "group": np.arange(50)}).to_parquet(tmp_path / "c.parquet")
    paths = [tmp_path / f"{k}.parquet" for k in range(2)]
    splits.write_splits(catalog=tmp_path / "c.parquet", splits=paths, fractions=[0.6, 0.2, 0.2], seed=1)
    for path in paths:
        assert pq.read_table(path)["objID"].to_pylist() == list(range(50))
