"""Shards of complete fields."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossz.catalog import plan
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
        plan.write_plan(catalogs=[tmp_path / "c.parquet"], shards=[tmp_path / "s.parquet"], needs_fields=True)
