"""A table is given the columns of a catalog, or is refused with every reason."""

import numpy as np
import pyarrow as pa
import pytest
from toy import BIG, rows

from crossz.catalog.columns import conform
from crossz.core.errors import CrosszError


@pytest.mark.parametrize("spoil", [lambda ids: ids.astype(float).astype(np.int64), lambda ids: ids // 1000 * 1000])
def test_integer_ids_that_went_through_a_float_or_a_spreadsheet_are_noticed(spoil):
    ids = BIG + 7_654_321 * np.arange(30)
    table = pa.Table.from_pandas(rows(objID=spoil(ids)), preserve_index=False)
    with pytest.raises(CrosszError, match="objID: every id is a multiple of a large number"):
        conform(table, "my.csv")
    conform(pa.Table.from_pandas(rows(objID=ids), preserve_index=False), "my.csv")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (rows(objID=[float(BIG)]), "objID holds floats"),
        (rows(objID=["1.23765466973536E+18"]), "export the column as bigint or text"),
        (rows(objID=[1]).drop(columns=["psfMag_u", "extinction_z"]), "2 problem"),
        (rows(objID=[1], psfMag_u=["bright"]), "psfMag_u is not double"),
        (rows(objID=[1], zErr=[None]), "zErr has 1 empty"),
        (rows(objID=np.zeros(0, int)), "no rows"),
    ],
)
def test_a_bad_table_is_refused_with_its_reason(table, words):
    with pytest.raises(CrosszError, match=words) as caught:
        conform(pa.Table.from_pandas(table, preserve_index=False), "my.csv")
    assert "my.csv" in str(caught.value)


def test_all_missing_columns_are_named_at_once():
    table = pa.Table.from_pandas(rows(objID=[1]).drop(columns=["psfMag_u", "extinction_z"]), preserve_index=False)
    with pytest.raises(CrosszError) as caught:
        conform(table, "my.csv")
    assert "psfMag_u" in str(caught.value)
    assert "extinction_z" in str(caught.value)
