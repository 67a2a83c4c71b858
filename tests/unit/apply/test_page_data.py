"""What the script of a page gets: columns with their kinds, PDFs as bytes."""

import base64
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from crossz.apply.answer import answered, finished
from crossz.apply.page_data import POINTS, columns, pdfs, script_data
from crossz.apply.page_sample import Sample
from crossz.apply.pdf_columns import GRID
from crossz.core.errors import CrosszError
from crossz.estimates.pdf import Mixture


def test_columns_have_the_kind_of_their_values_and_ours_say_what_they_are():
    given = pa.table(
        {
            "name": ["b", None, "x" * 300],
            "number": ["1.5", "", "-2e3"],
            "flux": [1.23456789, np.nan, np.inf],
            "id": [1, None, (1 << 60) + 1],
            "small": [1, None, 3],
            "seen": [True, None, False],
            "nothing": ["", "", ""],
        }
    )
    found = pd.DataFrame(
        {"status": "ok", "z_phot": [1.23456, np.nan, 2], "faint": [True, False, False], "edge": False, "stacked": True}
        | {"z_at_end": [False, False, True]}
    )
    by_name = {column["name"]: column for column in columns(answered(given, found, {}, {}))}
    first = ["status", "z_phot", "z_at_end", "faint"]
    assert list(by_name) == [*first, "name", "number", "flux", "id", "small", "seen", "stacked"]
    kinds = {name: column["kind"] for name, column in by_name.items()}
    assert kinds == {
        "status": "text", "z_phot": "number", "z_at_end": "warning", "faint": "warning", "name": "text", "number": "number", "flux": "number",
        "id": "text", "small": "number", "seen": "flag", "stacked": "flag",
    }  # fmt: skip
    assert by_name["name"]["values"] == ["b", None, "x" * 200 + "…"]
    assert by_name["number"]["values"] == [1.5, None, -2000.0]
    assert by_name["flux"]["values"] == [1.23457, None, None]
    assert by_name["id"]["values"] == ["1", None, str((1 << 60) + 1)]
    assert by_name["z_phot"]["values"] == [1.2346, None, 2.0]
    assert [by_name[name]["ours"] for name in ("name", "z_phot")] == [False, True]
    assert "g > 22" in by_name["faint"]["about"]


def test_dates_and_spans_that_python_has_not_are_text():
    far = pa.array([1 << 60, None])
    given = pa.table({"date": far.cast(pa.date64(), safe=False), "span": far.cast(pa.duration("s"))})
    found = pd.DataFrame({"status": ["ok", "ok"]})
    by_name = {column["name"]: column for column in columns(answered(given, found, {}, {}))}
    assert by_name["span"]["values"] == [str(1 << 60), None]
    assert [type(value) for value in by_name["date"]["values"]] == [str, type(None)]
    nested = pa.table({"dates": pa.array([[1 << 60], None], pa.list_(pa.int64())).cast(pa.list_(pa.timestamp("s")))})
    with pytest.raises(CrosszError, match=r"a column of list<.*timestamp.*leave it out"):
        columns(answered(nested, found, {}, {}))


def test_positions_keep_their_digits_and_the_user_s_own_are_known():
    given = pa.table({"RAJ2000": [123.4567891], "dec": [1.0]})
    found = pd.DataFrame({"status": ["ok"], "ra": 123.4567891, "dec": 1.0})
    by_name = {column["name"]: column for column in columns(answered(given, found, {"ra": "RAJ2000"}, {}))}
    assert by_name["RAJ2000"]["values"] == [123.456789]
    assert (by_name["RAJ2000"]["role"], by_name["RAJ2000"]["ours"]) == ("ra", False)
    assert (by_name["crossz_dec"]["role"], by_name["crossz_dec"]["ours"]) == ("dec", True)


def test_pdfs_are_their_means_over_steps_scaled_to_the_peak():
    mean = np.log1p([[1.0, 3.0], [2.0, 2.0], [np.nan, np.nan]])
    mixture = Mixture(
        np.array([[0.7, 0.3], [1.0, 0.0], [np.nan] * 2]), mean, np.array([[0.05, 0.02], [1e-5, 0.1], [np.nan] * 2])
    )
    found = pdfs(mixture)
    values = np.frombuffer(base64.b64decode(found["values"]), np.uint8).reshape(3, POINTS)
    z = found["low"] + found["step"] * np.arange(POINTS)
    assert z[values[0].argmax()] == pytest.approx(1.0, abs=0.03)
    assert (values[0] / values[0].sum())[z < 2].sum() == pytest.approx(0.7, abs=0.01)
    assert z[values[1].argmax()] == pytest.approx(2.0, abs=found["step"])  # no peak is too narrow
    assert values.max(1).tolist() == [255, 255, 0]
    assert pdfs(None) is None
    assert pdfs(Mixture(*(part[2:] for part in mixture))) is None


def test_pdfs_on_a_grid_are_shown_like_mixtures():
    parts = {"weight": [[0.7, 0.3], [1, 0], [np.nan] * 2], "sigma": [[0.05, 0.02], [0.03, 0.1], [np.nan] * 2]}
    mean = np.log1p([[1.0, 3.0], [2.0, 2.0], [np.nan, np.nan]])
    flat = {f"{name}_{k}": np.array(values)[:, k] for name, values in (parts | {"mean": mean}).items() for k in (0, 1)}
    found = pd.DataFrame({"status": ["ok", "ok", "no_data"], "z_phot": [1.5, 2.0, np.nan]} | flat)
    shown = []
    for form in ("mixture", "grid"):
        sample = Sample()
        sample.add(finished(pa.table({"name": ["a", "b", "c"]}), {}, found, {}, pdf=form))
        pdf = json.loads(script_data(sample, "mine", ""))["pdf"]
        values = np.frombuffer(base64.b64decode(pdf["values"]), np.uint8).reshape(3, POINTS)
        shown.append((pdf["low"] + pdf["step"] * np.arange(POINTS), values))
    (z, mixture), (z_grid, grid) = shown
    np.testing.assert_allclose(np.stack([np.interp(z, z_grid, row) for row in grid]), mixture, atol=6)
    nothing = finished(pa.table({"name": ["c"]}), {}, found[2:], {}, pdf="grid")
    sample = Sample()
    sample.add(nothing)
    assert json.loads(script_data(sample, "mine", ""))["pdf"] is None
    assert GRID[0] <= z_grid[0] < z_grid[-1] <= GRID[-1]
