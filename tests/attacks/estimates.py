"""Tables of estimates for `crossz nz`: changed by other programs, forged, or none."""

import io
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from attacks import material
from attacks.harness import ACCEPTED, EITHER, REFUSED, Case, Content
from attacks.material import CSV, NETWORK, ROWS, facts_changed, parquet_bytes

PDF = ("pdf_weight", "pdf_mean", "pdf_sigma")


def cases() -> Iterator[Case]:
    given = material.estimates()
    yield _nz("honest", parquet_bytes(given), ACCEPTED)
    yield from _numbers(given)
    yield from _types(given)
    yield from _tables(given)
    yield from _calls(given)
    yield from _training(given)


def _nz(
    name: str, content: Content, wants: str = REFUSED, *words: str, file: str = "e.parquet", **files: Content
) -> Case:
    check = _normal if wants in (ACCEPTED, EITHER) else None
    return Case(name, ["nz", file, "nz.csv", *words], {file: content, **files}, wants, check)


def _normal() -> None:
    found = pd.read_csv("nz.csv")
    for name, part in found.groupby("bin"):
        assert np.isfinite(part[["p", "p_error"]].to_numpy()).all(), name
        area = part["p"].sum() * 0.01
        assert (part["p"] >= 0).all(), name
        assert math.isclose(area, 1, abs_tol=0.01) or (area == 0 and (part["objects"] == 0).all()), f"{name}: {area}"


def _changed(given: pa.Table, name: str, values: Any) -> bytes:
    place = given.column_names.index(name)
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return parquet_bytes(given.set_column(place, given.schema.field(place).with_type(array.type), array))


def _numbers(given: pa.Table) -> Iterator[Case]:
    for name in PDF:
        for value in (math.nan, math.inf, -math.inf, 1e300, -1e300, 1e-300, 0.0, -0.5, 5.5, None):
            rows = given[name].to_pylist()
            rows[3] = [value, *rows[3][1:]]
            wants = EITHER if value in (1e-300, 0.0, -0.5) else REFUSED
            yield _nz(f"{name} of {value}", _changed(given, name, pa.array(rows, given[name].type)), wants)
    for value in (math.nan, math.inf, -1.0, -5.0, 1e300, None, 0.0):
        z = given["z_phot"].to_pylist()
        z[3] = value
        yield _nz(
            f"z_phot of {value}",
            _changed(given, "z_phot", pa.array(z, pa.float64())),
            EITHER if value in (0.0, 1e300) else REFUSED,
        )


def _types(given: pa.Table) -> Iterator[Case]:
    arrays = {
        "nulls": pa.nulls(ROWS),
        "text": pa.array(["x"] * ROWS),
        "numbers": pa.array([1.0] * ROWS),
        "integers": pa.array([1] * ROWS),
        "booleans": pa.array([True] * ROWS),
        "bytes": pa.array([b"ok"] * ROWS),
        "dates": pa.array([2**40] * ROWS, pa.timestamp("s")),
        "lists of text": pa.array([["a"]] * ROWS),
        "lists of lists": pa.array([[[1.0]]] * ROWS),
        "empty lists": pa.array([[]] * ROWS, pa.list_(pa.float64())),
        "lists of other lengths": pa.array([[1.0] * (number + 1) for number in range(ROWS)]),
        "200 numbers": pa.array([[0.005] * 200] * ROWS),
        "one number": pa.array([[1.0]] * ROWS),
        "structs": pa.array([{"a": 1}] * ROWS),
        "maps": pa.array([[("a", 1.0)]] * ROWS, pa.map_(pa.string(), pa.float64())),
        "categories": pa.array(["ok"] * ROWS).dictionary_encode(),
        "large text": pa.array(["ok"] * ROWS, pa.large_string()),
        "views": pa.array(["ok"] * ROWS, pa.string_view()),
        "text with escapes": pa.array(["\x1b[31m"] * ROWS),
    }  # fmt: skip
    for column in ("status", "z_phot", *PDF):
        for name, array in arrays.items():
            yield _nz(f"{column} of {name}", _changed(given, column, array), EITHER)


def _tables(given: pa.Table) -> Iterator[Case]:
    plain = given.replace_schema_metadata(None).cast(pa.schema([field.remove_metadata() for field in given.schema]))
    without = {name: parquet_bytes(given.drop_columns([name])) for name in ("status", "z_phot", *PDF)}
    for name, content in without.items():
        yield _nz(f"no {name}", content, EITHER if name == "z_phot" else REFUSED)
    frame = plain.to_pandas()
    with_row = pa.concat_tables([given] * 400)
    tables: dict[str, tuple[Content, str, str]] = {
        "without metadata": (parquet_bytes(plain), ACCEPTED, "e.parquet"),
        "no PDFs": (parquet_bytes(given.drop_columns([*PDF])), REFUSED, "e.parquet"),
        "no rows": (parquet_bytes(given[:0]), REFUSED, "e.parquet"),
        "targets": (CSV, REFUSED, "e.csv"),
        "nothing": (b"", REFUSED, "e.csv"),
        "no object that is ok": (_changed(given, "status", ["no_data"] * ROWS), REFUSED, "e.parquet"),
        "other statuses": (_changed(given, "status", ["<script>"] * ROWS), REFUSED, "e.parquet"),
        "one column twice": (parquet_bytes(given.append_column(given.schema.field("z_phot"), given["z_phot"])), EITHER, "e.parquet"),
        "a header that is no JSON": (parquet_bytes(given.replace_schema_metadata({"crossz.header": b"\xff{"})), EITHER, "e.parquet"),
        "a header of a list": (parquet_bytes(given.replace_schema_metadata({"crossz.header": "[1]"})), EITHER, "e.parquet"),
        "a deep header": (parquet_bytes(given.replace_schema_metadata({"crossz.header": "[" * 100_000})), EITHER, "e.parquet"),
        "a warning of numbers": (parquet_bytes(given.replace_schema_metadata({"crossz.header": '{"warning": 5}'})), EITHER, "e.parquet"),
        "a warning with escapes": (parquet_bytes(given.replace_schema_metadata({"crossz.header": '{"warning": "\\u001b[31m"}'})), EITHER, "e.parquet"),
        "a warning of mathtext": (parquet_bytes(given.replace_schema_metadata({"crossz.header": '{"warning": "$\\\\frac{"}'})), EITHER, "e.parquet"),
        "a mark that is no UTF-8": (parquet_bytes(given.set_column(0, given.schema.field(0).with_metadata({b"crossz": b"\xff"}), given[0])), EITHER, "e.parquet"),
        "a mark of another column": (parquet_bytes(given.set_column(0, given.schema.field(0).with_metadata({b"crossz": b"status"}), given[0])), EITHER, "e.parquet"),
        "as CSV": (_as_csv(frame), EITHER, "e.csv"),
        "4,800 rows": (parquet_bytes(with_row), ACCEPTED, "e.parquet"),
        "cut": (parquet_bytes(given)[:-100], REFUSED, "e.parquet"),
        "a FIFO": (lambda path: os.mkfifo(path), REFUSED, "e.parquet"),
        "a device": (lambda path: path.symlink_to("/dev/zero"), REFUSED, "e.parquet"),
    }  # fmt: skip
    for name, (content, wants, file) in tables.items():
        yield _nz(name, content, wants, file=file)
    probabilities = {"NaN": math.nan, "-5": -5.0, "1e300": 1e300, "inf": math.inf, "0": 0.0}
    for name, value in probabilities.items():
        field = pa.field("p_QSO", pa.float64(), metadata={"crossz": "p_QSO"})
        yield _nz(f"p_QSO of {name}", parquet_bytes(given.append_column(field, pa.array([value] * ROWS))), EITHER)
    field = pa.field("p_QSO", pa.string(), metadata={"crossz": "p_QSO"})
    yield _nz("p_QSO of text", parquet_bytes(given.append_column(field, pa.array(["x"] * ROWS))), EITHER)


def _as_csv(frame: pd.DataFrame) -> bytes:
    for name in PDF:
        arrays = np.stack(frame.pop(name).to_numpy())
        frame = frame.assign(**{f"{name.removeprefix('pdf_')}_{k}": arrays[:, k] for k in range(arrays.shape[1])})
    sink = io.StringIO()
    frame.to_csv(sink, index=False)
    return sink.getvalue().encode()


def _calls(given: pa.Table) -> Iterator[Case]:
    content = parquet_bytes(given)
    bins = (
        ["1"],
        ["1", "1"],
        ["2", "1"],
        ["nan", "1"],
        ["1", "inf"],
        ["-inf", "inf"],
        ["1e308", "1.5e308"],
        ["0", "1", "2", "9"],
        ["x", "1"],
        [],
        ["100", "200"],
        [str(number / 100) for number in range(700)],
    )
    for edges in bins:
        yield _nz(f"--bins {' '.join(edges[:5])} ({len(edges)})", content, EITHER, "--bins", *edges)
    for out in (
        "",
        ".csv",
        "nz.png",
        "nz",
        "/dev/null",
        "/proc/nz.csv",
        "e.parquet",
        "a" * 300 + ".csv",
        "a\0.csv",
        "\x1b[31m.csv",
        "x/y/z/nz.csv",
        "e.parquet/nz.csv",
        "\udcff.csv",
        "nz.csv/",
    ):
        yield Case(f"out {out[:30]!r}", ["nz", "e.parquet", out], {"e.parquet": content}, EITHER)
    for table in ("", "none.parquet", "/dev/null", ".", "a\0.parquet", "\x1b[31m.parquet", "a" * 300):
        yield Case(
            f"table {table[:30]!r}",
            ["nz", table, "nz.csv"],
            {"e.parquet": content},
            EITHER if table == "." else REFUSED,
        )
    folders: dict[str, dict[str, Content]] = {
        "honest": {"e/part-00000.parquet": content},
        "empty": {"e/a": b""},
        "a part that is damaged": {"e/part-00000.parquet": content, "e/part-00001.parquet": content[:-50]},
        "a part of other columns": {"e/part-00000.parquet": content, "e/part-00001.parquet": parquet_bytes()},
        "a part that is a FIFO": {"e/part-00000.parquet": lambda path: os.mkfifo(path)},
        "a link in a circle": {"e/part-00000.parquet": lambda path: path.symlink_to(path.name)},
        "text": {"e/part-00000.csv": CSV},
    }
    for name, files in folders.items():
        yield Case(
            f"folder: {name}",
            ["nz", "e", "nz.csv"],
            files,
            ACCEPTED if name == "honest" else REFUSED,
            _normal if name == "honest" else None,
        )


def _training(given: pa.Table) -> Iterator[Case]:
    content, words = parquet_bytes(given), ("--training", NETWORK)
    yield _nz("training: honest", content, ACCEPTED, *words)
    yield _nz("training: a network of images", content, EITHER, "--training", "sdss-quasars")
    for network in ("none", "", "/dev/null", "e.parquet", "\x1b[31m", "a\0"):
        yield _nz(f"training: {network!r}", content, EITHER, "--training", network)
    for columns in (
        "psfMag_u=none",
        "x=ra",
        "psfMag_*=ra",
        "psfMag_u=status",
        "@none",
        "@e.parquet",
        "=",
        "psfMag_*=psfMag_*",
    ):
        yield _nz(f"training: --columns {columns}", content, EITHER, *words, "--columns", columns)
    for unit in ("x", "10**999999999", "nmgy", "AB", ""):
        yield _nz(f"training: --units {unit}", content, EITHER, *words, "--units", unit)
    yield _nz("--units without training", content, EITHER, "--units", "AB")
    for value in (math.nan, 99.0, 1e300, -1e300):
        yield _nz(f"training: magnitudes of {value}", _changed(given, "psfMag_u", [value] * ROWS), EITHER, *words)
    for name in ("note", "psfMag_u"):
        dropped = given.drop_columns([name]) if name in given.column_names else given
        yield _nz(f"training: no {name}", parquet_bytes(dropped), EITHER, *words)
    odd: dict[str, Callable[[Path], object]] = {
        "no domain": facts_changed(lambda facts: facts["domain"].pop("reference")),
        "no splits": facts_changed(lambda facts: facts.update(splits=[])),
    }
    for name, folder in odd.items():
        yield _nz(f"training: a bundle with {name}", content, REFUSED, "--training", "b", b=folder)
