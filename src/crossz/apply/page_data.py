"""What the HTML page of new objects knows of its rows, for its script: columns, PDFs, images."""

import base64
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from markupsafe import Markup

from crossz.apply.answer import OURS, column_types, frame_of, typed
from crossz.apply.output_columns import described
from crossz.apply.page_sample import Sample
from crossz.apply.pdf_columns import GRID
from crossz.apply.templating import clean
from crossz.apply.writers import python_cells
from crossz.estimates.pdf import Mixture, blocks, cdf
from crossz.estimates.predictions import mixtures_of

POINTS = 256
"""Of the PDFs of a page: mean densities over so many steps of z."""
_FIRST = (
    "status",
    "z_phot",
    "z_low_68",
    "z_high_68",
    "odds",
    "class_phot",
    "not_quasar",
    "out_of_domain",
    "z_at_end",
    "photometry_suspect",
    "faint",
    "edge",
    "missing",
)
_FOUR_DECIMALS = "%.4f"
_LONGEST = 200  # characters of a text
_EXACT = 1 << 53  # integers of JavaScript
_LAST_Z = 12.0
_SEEN = 1e-3  # of a PDF's peak: what a page shows of a grid


def script_data(sample: Sample, title: str, file: str) -> Markup:
    """The rows as JSON that can stand in a <script> element.

    Parameters
    ----------
    sample
        At least one row.
    title, file
        The name of the page, and that of the whole table beside it ("" if there is none).
    """
    table = sample.table()
    content = {
        "title": clean(title),
        "file": file,
        "rows": [row + 1 for row in sample.rows.tolist()],
        "columns": columns(table),
        "pdf": _pdfs_of(frame_of(table)),
        "images": sample.pictures,
    }
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for char in "<>&":  # no text ends the element, or begins another
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)


def columns(table: pa.Table) -> list[dict[str, Any]]:
    """The columns in use, those that are read first in front: name, kind, unit, about, ours, role, values.

    A kind is number, text, flag or warning, which is a flag of ours that casts doubt on the estimate. The role is our name of a column, also of one of the user's that we read. Columns of PDFs are left out.
    """
    names = [f"{number}" for number in range(table.num_columns)]  # two columns may have one name
    fields = list(table.schema)
    table = table.rename_columns(names)
    table = typed(table, column_types([table]))
    found = []
    for field, name in zip(fields, names, strict=True):
        said = {key.decode(): value.decode(errors="replace") for key, value in (field.metadata or {}).items()}
        role = said.get(OURS.decode(), "")
        if role.startswith("pdf") or (role and role[-1].isdigit() and role.split("_")[0] in Mixture._fields):
            continue
        ours = bool(role) and said.get("description") == described(role)[1].meaning
        place = said.get("unit", "") == "deg" or role in ("ra", "dec")
        kind, values = _values(table[name], "%.9g" if place else _FOUR_DECIMALS if ours else "%.6g")
        if not any(value not in (None, "", False) for value in values):
            continue
        if kind == "flag" and ours and described(role)[1].ucd == "meta.code.qual":
            kind = "warning"
        about = said.get("description", "")
        column = {"name": field.name, "kind": kind, "unit": said.get("unit", ""), "about": about}
        found.append({key: clean(text)[:_LONGEST] for key, text in column.items()} | {"ours": ours, "role": role})
        found[-1]["values"] = values
    return sorted(found, key=_place)


def _place(column: dict[str, Any]) -> tuple[int, int]:
    """Where a column stands: what is read first, the user's own, all else of ours."""
    if column["ours"] and column["role"] in _FIRST:
        return 0, _FIRST.index(column["role"])
    return (2, described(column["role"])[0]) if column["ours"] else (1, 0)


def _values(column: pa.ChunkedArray, form: str) -> tuple[str, list[Any]]:
    """The kind of a column, and its cells for JSON, numbers as `form` prints them; None where a cell is empty."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return "flag", column.to_pylist()
    if pa.types.is_integer(kind):
        integers = column.to_pylist()
        if all(number is None or abs(number) < _EXACT for number in integers):
            return "number", integers
        return "text", [None if number is None else str(number) for number in integers]
    if pa.types.is_floating(kind):
        numbers = column.to_numpy().astype(float)
        if form == _FOUR_DECIMALS:
            return "number", [number if math.isfinite(number) else None for number in numbers.round(4).tolist()]
        return "number", [float(form % number) if math.isfinite(number) else None for number in numbers.tolist()]
    return "text", [None if value is None else _text(value) for value in python_cells(column)]


def _text(value: Any) -> str:
    text = clean(str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _pdfs_of(found: pd.DataFrame) -> dict[str, Any] | None:
    """`pdfs` of a table of estimates, which has them as mixtures or on a grid."""
    if "pdf" not in found:
        return pdfs(mixtures_of(found))
    return pdfs_on_grid(np.stack(found["pdf"].tolist()).astype(float))


def pdfs_on_grid(density: np.ndarray) -> dict[str, Any] | None:
    """The same of densities [n, 701] on `pdf_columns.GRID`, NaN without a PDF."""
    density = np.where(np.isfinite(density).all(1, keepdims=True), density, 0)
    seen = np.flatnonzero((density > _SEEN * density.max(1, keepdims=True)).any(0))
    if not len(seen):
        return None
    edges = np.linspace(GRID[max(seen[0] - 1, 0)], GRID[min(seen[-1] + 1, len(GRID) - 1)], POINTS + 1)
    below = np.zeros_like(density)
    below[:, 1:] = np.cumsum((density[:, 1:] + density[:, :-1]) / 2, axis=1)
    return _packed(np.diff(np.stack([np.interp(edges, GRID, row) for row in below]), axis=1), edges)


def pdfs(mixture: Mixture | None) -> dict[str, Any] | None:
    """p(z) of n objects as bytes in base64, each scaled to its peak: values [n, POINTS], low, step, points; None without PDFs.

    A value is the mean over its step: no peak, however narrow, falls between two of them.
    """
    if mixture is None:
        return None
    known = np.isfinite(mixture.mean).all(1)
    if not known.any():
        return None
    some = Mixture(*(part[known] for part in mixture))
    matters = some.weight > 0.01 * some.weight.max(1, keepdims=True)
    low = max(float(np.expm1(np.min((some.mean - 3 * some.sigma)[matters]))), 0.0)
    high = min(float(np.expm1(np.max((some.mean + 3 * some.sigma)[matters]))), _LAST_Z)
    edges = np.linspace(low, max(high, low + 0.01), POINTS + 1)
    found, all_rows = np.empty((len(some.weight), POINTS)), np.zeros((len(known), POINTS))
    for rows, block in blocks(some):
        found[rows] = np.diff(cdf(block, np.tile(np.log1p(edges), (len(block.weight), 1))), axis=1)
    all_rows[known] = found
    return _packed(all_rows, edges)


def _packed(found: np.ndarray, edges: np.ndarray) -> dict[str, Any]:
    """What the page reads of probabilities [n, POINTS] between `edges`; zeros stand for no PDF."""
    values = np.round(255 * found / np.maximum(found.max(1, keepdims=True), 1e-300)).astype(np.uint8)
    step = edges[1] - edges[0]
    content = base64.b64encode(values.tobytes()).decode()
    return {"low": float(edges[0] + step / 2), "step": float(step), "points": POINTS, "values": content}
