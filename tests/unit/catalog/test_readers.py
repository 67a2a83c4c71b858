"""Tables of the user are read alike from every format, ids to the last digit."""

import numpy as np
import pytest
from astropy.table import Table
from toy import BIG, rows

from crossz.catalog.columns import conform
from crossz.catalog.lists import read_table
from crossz.core.errors import CrosszError


def test_ids_survive_text_files_to_the_last_digit(tmp_path):
    path = tmp_path / "query.csv"
    table = rows(objID=[BIG, BIG + 1], specObjID=np.array([2**64 - 1, 5], np.uint64))
    table.to_csv(path, index=False)
    read = conform(read_table(path, {}), str(path))
    assert read["objID"].to_pylist() == [BIG, BIG + 1]
    assert read["specObjID"].to_pylist() == [2**64 - 1, 5]


def test_a_skyserver_csv_with_its_table_line_other_case_and_mapped_names(tmp_path):
    path = tmp_path / "query.csv"
    table = rows(objID=[BIG]).rename(columns={"objID": "OBJID", "z": "redshift"})
    path.write_text("#Table1\n" + table.assign(clean="True", thing_id="").to_csv(index=False))
    read = conform(read_table(path, {"z": "redshift"}), str(path))
    assert read["objID"].to_pylist() == [BIG]
    assert read["z"].to_pylist() == [2.0]
    assert read["clean"].to_pylist() == [1]
    assert read["thing_id"].to_pylist() == [None]


def test_missing_magnitudes_are_kept_as_they_came(tmp_path):
    path = tmp_path / "query.csv"
    table = rows(objID=[1, 2, 3]).astype({"psfMag_u": object})
    table["psfMag_u"] = ["-9999.0", "", "0.0"]
    table["class"] = ["QSO", "", "null"]
    table.to_csv(path, index=False)
    read = conform(read_table(path, {}), "query.csv")
    assert read["psfMag_u"].to_pylist() == [-9999.0, None, 0.0]
    assert read["class"].to_pylist() == ["QSO", "", None]


def test_a_csv_whose_last_line_is_cut_is_refused_and_one_without_a_line_break_is_read(tmp_path, caplog):
    path = tmp_path / "query.csv"
    rows(objID=[1, 2]).to_csv(path, index=False)
    whole = path.read_bytes()
    path.write_bytes(whole.rstrip(b"\n"))
    assert read_table(path, {}).num_rows == 2
    assert "last line has no end" in caplog.text
    path.write_bytes(whole[: whole.rindex(b",")])
    with pytest.raises(CrosszError, match=r"query\.csv: not a readable .csv table .*Expected 2"):
        read_table(path, {})


def test_a_fits_table_gives_the_same_rows_as_its_csv(tmp_path):
    table = rows(objID=[BIG, BIG + 1], zErr=[-1, 2e-4]).assign(run2d=["26", "v5_13_2"])
    table.to_csv(tmp_path / "query.csv", index=False)
    Table.from_pandas(table.astype({"specObjID": str})).write(tmp_path / "query.fits")
    tables = [conform(read_table(tmp_path / f"query.{kind}", {}), kind) for kind in ("csv", "fits")]
    assert tables[0].equals(tables[1])


def test_a_mapped_column_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "query.csv"
    rows(objID=[1]).to_csv(path, index=False)
    with pytest.raises(CrosszError, match="z is mapped to redshift, which is no column"):
        read_table(path, {"z": "redshift"})
    with pytest.raises(CrosszError, match="no such file"):
        read_table(tmp_path / "absent.csv", {})
