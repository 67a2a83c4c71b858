"""A finished query under our names: extra columns, and what lacks one."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from toy import rows

from crossz.catalog.columns import COLUMNS
from crossz.catalog.objects import write_catalog
from crossz.catalog.raw import write_user_catalog
from crossz.core.errors import CrosszError


def test_a_published_catalog_needs_neither_ids_nor_errors_of_redshifts(tmp_path):
    given = (
        rows(objID=[3, 4, 5]).drop(columns=["objID", "specObjID", "zErr"]).assign(z=[1.0, 2.0, 3.0], ra=[9.0, 8.0, 7.0])
    )
    given.to_csv(tmp_path / "mine.csv", index=False)
    made = {"raw": tmp_path / "raw.parquet", "receipt": tmp_path / "receipt.json"}
    with pytest.raises(CrosszError, match=r"(?s)objID is missing.*zErr is missing"):
        write_user_catalog(source=tmp_path / "mine.csv", **made, columns={})
    write_user_catalog(source=tmp_path / "mine.csv", **made, columns={}, published=True)
    write_catalog(raw=made["raw"], catalog=tmp_path / "c.parquet", counts=tmp_path / "c.json", radius_arcsec=1.0)
    table = pq.read_table(tmp_path / "c.parquet")
    assert (table["objID"].to_pylist(), table["z"].to_pylist()) == (
        [1, 2, 3],
        [1.0, 2.0, 3.0],
    )  # in the order of the file
    rows(objID=[3, 4, 5]).to_csv(tmp_path / "mine.csv", index=False)
    write_user_catalog(source=tmp_path / "mine.csv", **made, columns={}, published=True)
    assert pq.read_table(made["raw"])["objID"].to_pylist() == [3, 4, 5]


def test_extra_columns_are_kept_as_numbers_and_their_absence_is_told(tmp_path):
    given = rows(objID=[3, 4, 5], W1mpro=["15.5", "", "-9999"], empty=[np.nan] * 3, other=[1, 2, 3])
    given.to_csv(tmp_path / "mine.csv", index=False)
    made = {"raw": tmp_path / "raw.parquet", "receipt": tmp_path / "receipt.json"}
    write_user_catalog(source=tmp_path / "mine.csv", **made, columns={"pm": "other"}, extra_columns=["w1mpro", "pm"])
    write_catalog(raw=made["raw"], catalog=tmp_path / "c.parquet", counts=tmp_path / "c.json", radius_arcsec=1.0)
    table = pq.read_table(tmp_path / "c.parquet")
    assert table["w1mpro"].to_pylist() == [15.5, None, -9999.0]
    assert table["pm"].to_pylist() == [1.0, 2.0, 3.0]
    write_user_catalog(source=tmp_path / "mine.csv", **made, columns={})
    assert pq.read_table(made["raw"]).column_names == list(COLUMNS)
    for extra_columns, words in (
        (["w9"], r"(?s)mine.csv.*w9 of photometry\.columns is missing"),
        (["empty"], "empty .*no value"),
    ):
        with pytest.raises(CrosszError, match=words):
            write_user_catalog(source=tmp_path / "mine.csv", **made, columns={}, extra_columns=extra_columns)
