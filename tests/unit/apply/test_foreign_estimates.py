"""Estimates that another program changed are refused by column or row, and never shown as n(z)."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossz.apply import nz
from crossz.apply.answer import finished
from crossz.core.errors import CrosszError

ROWS = 4
PDF = ["pdf_weight", "pdf_mean", "pdf_sigma"]


@pytest.fixture
def estimates():
    """As `crossz predict` writes them; the last row has none."""
    table = pd.DataFrame({"status": ["ok", "ok", "ok", "no_data"], "z_phot": [1.0, 2, 3, np.nan]})
    for name, value in (("weight", 0.5), ("mean", 0.9), ("sigma", 0.1)):
        for k in (0, 1):
            table[f"{name}_{k}"] = [value] * 3 + [np.nan]
    return table


@pytest.fixture
def answer(estimates):
    return finished(pa.table({"name": ["a"] * ROWS}), {}, estimates, {})


def changed(answer, name, values):
    place = answer.column_names.index(name)
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return answer.set_column(place, answer.schema.field(place).with_type(array.type), array)


@pytest.mark.parametrize("name", PDF)
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([None] * ROWS, "is null, not arrays of numbers"),
        ([["a", "b"]] * ROWS, "not arrays of numbers"),
        ([[[1.0]]] * ROWS, "not arrays of numbers"),
        ([1.0] * ROWS, "not arrays of numbers"),
        ([[1.0, 2], [1.0], [], [1.0]], "arrays of 0 to 2 numbers"),
        (pa.array([[]] * ROWS, pa.list_(pa.float64())), "arrays of 0 to 0 numbers"),
        ([[1.0, 2], None, [1.0, 2], [1.0, 2]], "1 rows are empty"),
        ([[0.1] * 3] * ROWS, "have different lengths"),
    ],
)
def test_arrays_that_are_no_pdfs_are_refused_by_their_column(answer, tmp_path, name, values, message):
    pq.write_table(changed(answer, name, values), tmp_path / "o.parquet")
    with pytest.raises(CrosszError, match=rf"o\.parquet: .*{message}"):
        nz.read_estimates(tmp_path / "o.parquet")


@pytest.mark.parametrize(
    ("name", "value"),
    [*((name, value) for name in PDF for value in (np.nan, np.inf, 1e300)), ("pdf_weight", -0.5), ("pdf_weight", 0.1),
     ("pdf_sigma", 0.0), ("pdf_sigma", -0.1), ("pdf_mean", 6.0)],
)  # fmt: skip
def test_numbers_that_are_no_pdf_are_refused_by_their_row(answer, tmp_path, name, value):
    values = answer[name].to_pylist()
    values[1] = [value, 0.5]
    pq.write_table(changed(answer, name, values), tmp_path / "o.parquet")
    with pytest.raises(CrosszError, match="row 1: the status is ok, but its PDF is none"):
        nz.read_estimates(tmp_path / "o.parquet")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_a_z_phot_that_is_no_redshift_is_refused(answer, tmp_path, value):
    pq.write_table(changed(answer, "z_phot", [1.0, 2.0, value, np.nan]), tmp_path / "o.parquet")
    with pytest.raises(CrosszError, match="row 2: the status is ok, but z_phot is no redshift"):
        nz.read_estimates(tmp_path / "o.parquet")


@pytest.mark.parametrize(("name", "values"), [("status", [1] * ROWS), ("z_phot", ["x"] * ROWS)])
def test_other_types_are_refused(answer, tmp_path, name, values):
    pq.write_table(changed(answer, name, values), tmp_path / "o.parquet")
    with pytest.raises(CrosszError, match=f"column {name} is .*, not (text|numbers)"):
        nz.read_estimates(tmp_path / "o.parquet")


def test_too_many_gaussians_and_a_missing_column_are_refused(estimates, tmp_path):
    many = pd.DataFrame({"status": ["ok"], "z_phot": [1.0]} | {
        f"{name}_{k}": [value] for name, value in (("weight", 0.005), ("mean", 0.5), ("sigma", 0.1)) for k in range(200)
    })  # fmt: skip
    many.to_csv(tmp_path / "many.csv", index=False)
    with pytest.raises(CrosszError, match="200 Gaussians; at most 100"):
        nz.read_estimates(tmp_path / "many.csv")
    estimates.drop(columns="sigma_1").to_csv(tmp_path / "less.csv", index=False)
    with pytest.raises(CrosszError, match=r"a column of the PDFs is missing .*sigma_1"):
        nz.read_estimates(tmp_path / "less.csv")


def test_what_nobody_changed_is_read(answer, tmp_path):
    pq.write_table(answer, tmp_path / "o.parquet")
    found, _ = nz.read_estimates(tmp_path / "o.parquet")
    assert found["status"].tolist() == ["ok", "ok", "ok", "no_data"]
    assert found["mean_1"].tolist()[:3] == [0.9] * 3


def test_pdfs_without_a_redshift_are_refused(answer, tmp_path):
    pq.write_table(answer.drop_columns(["z_phot"]), tmp_path / "o.parquet")
    with pytest.raises(CrosszError, match=r"o\.parquet: .*no column z_phot"):
        nz.read_estimates(tmp_path / "o.parquet")


@pytest.mark.parametrize("header", [b"\xff{", b"[1]", b"[" * 100_000])
def test_a_damaged_header_is_refused(answer, tmp_path, header):
    pq.write_table(answer.replace_schema_metadata({"crossz.header": header}), tmp_path / "o.parquet")
    with pytest.raises(CrosszError, match=r"o\.parquet: its header is damaged"):
        nz.read_estimates(tmp_path / "o.parquet")


@pytest.mark.parametrize(
    ("values", "message"), [([0.5, -0.1, 0.5, None], "row 1: .*p_QSO is no probability"), (["x"] * ROWS, "not numbers")]
)
def test_probabilities_that_are_none_are_refused(answer, tmp_path, values, message):
    field = pa.field("p_QSO", pa.array(values).type, metadata={"crossz": "p_QSO"})
    pq.write_table(answer.append_column(field, pa.array(values)), tmp_path / "o.parquet")
    with pytest.raises(CrosszError, match=message):
        nz.read_estimates(tmp_path / "o.parquet")


def test_a_folder_with_a_damaged_part_is_refused(answer, tmp_path):
    (tmp_path / "o").mkdir()
    pq.write_table(answer, tmp_path / "o" / "part-00000.parquet")
    (tmp_path / "o" / "part-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(CrosszError, match="not a folder of Parquet files alone"):
        nz.read_estimates(tmp_path / "o")
