"""Every column that is written of new objects: its type, unit, UCD and meaning. Files and documentation say the same by this."""

import re
from typing import NamedTuple

import pyarrow as pa


class Column(NamedTuple):
    """What a column is."""

    kind: pa.DataType
    meaning: str
    unit: str = ""
    ucd: str = ""
    """IVOA UCD1+."""


_Z = "src.redshift.phot"
_FLOAT, _TEXT, _FLAG = pa.float64(), pa.string(), pa.bool_()

COLUMNS: dict[str, Column] = {
    "status": Column(_TEXT, "ok, malformed, no_match or no_data: only ok has an estimate", ucd="meta.code.status"),
    "why": Column(_TEXT, "why the status is not ok", ucd="meta.note"),
    "z_phot": Column(_FLOAT, "redshift: z_mean, or the point of a network without PDFs", ucd=f"{_Z};meta.main"),
    "z_mode": Column(_FLOAT, "redshift of the most probable peak of the PDF", ucd=_Z),
    "z_median": Column(_FLOAT, "median of the PDF", ucd=f"{_Z};stat.median"),
    "z_mean": Column(_FLOAT, "redshift with the smallest expected square of dz", ucd=f"{_Z};stat.mean"),
    "z_low_68": Column(_FLOAT, "lower end of the central interval that holds 68 %", ucd=f"{_Z};stat.min"),
    "z_high_68": Column(_FLOAT, "upper end of the central interval that holds 68 %", ucd=f"{_Z};stat.max"),
    "z_low_95": Column(_FLOAT, "lower end of the central interval that holds 95 %", ucd=f"{_Z};stat.min"),
    "z_high_95": Column(_FLOAT, "upper end of the central interval that holds 95 %", ucd=f"{_Z};stat.max"),
    "odds": Column(_FLOAT, "probability that z lies within 0.06 (1 + z) of z_mode", ucd=f"stat.probability;{_Z}"),
    "class_phot": Column(_TEXT, "the most probable class", ucd="src.class;meta.main"),
    "p_{class}": Column(_FLOAT, "probability of this class", ucd="stat.probability;src.class"),
    "not_quasar": Column(
        _FLAG,
        "QSO is not the most probable class: the redshift holds only if it is one all the same",
        ucd="meta.code.qual",
    ),
    "domain_p": Column(
        _FLOAT, "share of objects like the training ones that lie at least as far from them", ucd="stat.probability"
    ),
    "out_of_domain": Column(
        _FLAG, "domain_p is at most 0.05: unlike the training objects, do not trust the estimate", ucd="meta.code.qual"
    ),
    "z_at_end": Column(
        _FLAG,
        "the 95 % interval reaches beyond the redshifts of the training: take z as a limit, it may lie beyond",
        ucd="meta.code.qual",
    ),
    "photometry_suspect": Column(
        _FLAG, "the photometry cannot be: it contradicts itself or the image", ucd="meta.code.qual"
    ),
    "faint": Column(_FLAG, "g > 22, where the samples of the paper end", ucd="meta.code.qual"),
    "edge": Column(_FLAG, "no frame covers a part of the image", ucd="meta.code.qual"),
    "missing": Column(_TEXT, "bands without photometry", ucd="meta.code.qual"),
    "inputs": Column(
        _TEXT, "what was estimated from: phot, img or both; _gen: generated from the other", ucd="meta.code"
    ),
    "stacked": Column(
        _FLAG,
        "trees of photometry are part of the estimate; false: the networks alone, as a band is missing",
        ucd="meta.code",
    ),
    "image": Column(_TEXT, "status of the image", ucd="meta.code.status"),
    "z_peak_{k}": Column(_FLOAT, "redshift of a peak of the PDF, the most probable first", ucd=_Z),
    "p_peak_{k}": Column(_FLOAT, "probability that this peak holds", ucd=f"stat.probability;{_Z}"),
    "objID": Column(pa.int64(), "objID of the SDSS object", ucd="meta.id"),
    "specObjID": Column(_TEXT, "specObjID of the SDSS object", ucd="meta.id"),
    "ra": Column(_FLOAT, "right ascension, ICRS", "deg", "pos.eq.ra"),
    "dec": Column(_FLOAT, "declination, ICRS", "deg", "pos.eq.dec"),
    "separation_arcsec": Column(_FLOAT, "distance of target and object", "arcsec", "pos.angDistance"),
    "duplicate_of": Column(pa.int64(), "first row, counted from 0, with the same object", ucd="meta.record"),
    "pdf_weight": Column(_FLOAT, "PDF: weights of Gaussians in ln(1 + z), an array", ucd="stat.weight"),
    "pdf_mean": Column(_FLOAT, "PDF: means of these Gaussians", ucd="stat.mean"),
    "pdf_sigma": Column(_FLOAT, "PDF: standard deviations of these Gaussians", ucd="stat.stdev"),
    "pdf": Column(_FLOAT, "with --pdf grid: p(z) at z = 0 to 7 in steps of 0.01, an array", ucd=f"stat.pdf;{_Z}"),
    "weight_{k}": Column(_FLOAT, "pdf_weight in a CSV, a column for each Gaussian", ucd="stat.weight"),
    "mean_{k}": Column(_FLOAT, "pdf_mean, likewise", ucd="stat.mean"),
    "sigma_{k}": Column(_FLOAT, "pdf_sigma, likewise", ucd="stat.stdev"),
}
"""In the order in which they are written; {k} is a number from 0, that of peaks from 1."""

_PATTERNS = {
    name: re.compile(re.escape(name).replace(r"\{k\}", r"\d+").replace(r"\{class\}", ".+"))
    for name in COLUMNS
    if "{" in name
}


def described(name: str) -> tuple[int, Column]:
    """The place of a column in the order of COLUMNS, and what it is. Raises KeyError if it is none of them."""
    order = list(COLUMNS)
    if name in COLUMNS:
        return order.index(name), COLUMNS[name]
    # p_peak_1 is no probability of a class: the longest pattern that fits counts.
    fits = [pattern for pattern, compiled in _PATTERNS.items() if compiled.fullmatch(name)]
    if not fits:
        raise KeyError(name)
    pattern = max(fits, key=len)
    return order.index(pattern), COLUMNS[pattern]


def markdown() -> str:
    """The table of all columns for the documentation."""
    rows = [
        f"| `{name.replace('{', '').replace('}', '')}` | {column.unit} | {column.meaning} | {column.ucd} |"
        for name, column in COLUMNS.items()
    ]
    return "\n".join(["| column | unit | meaning | UCD |", "|---|---|---|---|", *rows])
