"""Units: of --units, and of each format of a file."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.material import CSV, ROWS, all_are, astropy_bytes, csv_bytes, parquet_bytes, predicting, table

HOSTILE = (
    "10**999999999", "10^999999999 Jy", "10+99999999 Jy", "Jy**99999", "m" * 5000, "(" * 5000, "Jy" + "/s" * 2000, "furlong", "kg", "deg", "%s", "1e400 Jy",
    "0 Jy", "-1 Jy", "nan Jy", "1/0", "\x1b[31m", "\0", "😀", "__import__('os').system('touch hacked')", "lambda: 0", "mag / Jy", "", " ", "--", "[1]", "µ", "ABmag",
    "dex(Jy)", "mag(mag(mag))", "Jy Jy", "count", "erg/s/cm2/Hz", "1e-30 Jy", "1e30 Jy", "1e-308 Jy", "AB\n", "'mag'", "9" * 400, "10 ** (9 ** 9)", "Jy^(1/99999)",
)  # fmt: skip
FLUX = 10 ** (0.4 * (22.5 - 17.3))  # nmgy


def cases() -> Iterator[Case]:
    for number, unit in enumerate(HOSTILE):
        yield predicting(f"--units {number} {unit[:20]!r}", "t.csv", CSV, EITHER, "--units", unit)
        if "\0" not in unit:
            yield predicting(f"of a Parquet file: {number} {unit[:20]!r}", "t.parquet", _said(unit), EITHER)
            yield predicting(f"of a VOTable: {number} {unit[:20]!r}", "t.vot", _in_votable(unit), EITHER)
    fluxes = table(
        **{f"psfMag_{band}": np.full(ROWS, FLUX) for band in "ugriz"},
        **{f"psfMagErr_{band}": np.full(ROWS, 0.3) for band in "ugriz"},
    )
    yield predicting("fluxes without a unit", "t.csv", csv_bytes(fluxes), REFUSED)
    scales = {"nmgy": 1, "maggies": 1e-9, "uJy": 3.631, "nJy": 3631, "mJy": 3.631e-3, "Jy": 3.631e-6}
    for unit, scale in scales.items():
        scaled = fluxes.copy()
        for name in scaled.filter(regex="^psfMag"):
            scaled[name] *= scale
        yield predicting(
            f"fluxes in {unit}", "t.csv", csv_bytes(scaled), ACCEPTED, "--units", unit, check=all_are("ok")
        )
        yield predicting(f"fluxes in {unit} that are magnitudes", "t.csv", CSV, EITHER, "--units", unit)
    for value in (0, -1e300, 1e300, 1e-300, np.inf, np.nan, -9999):
        odd = table(**{f"psfMag_{band}": np.full(ROWS, float(value)) for band in "ugriz"})
        yield predicting(f"fluxes of {value:g}", "t.csv", csv_bytes(odd), EITHER, "--units", "nmgy")
        yield predicting(f"AB magnitudes of {value:g}", "t.csv", csv_bytes(odd), EITHER, "--units", "AB")
        inverse = table(**{f"psfMagErr_{band}": np.full(ROWS, float(value)) for band in "ugriz"})
        inverse.columns = [name.replace("psfMagErr", "flux_ivar") for name in inverse]
        yield predicting(
            f"inverse variances of {value:g}",
            "t.csv",
            csv_bytes(inverse),
            EITHER,
            "--units",
            "nmgy",
            "--columns",
            "psfMagErr_*=flux_ivar_*",
        )


def _said(unit: str) -> bytes:
    given = pa.Table.from_pandas(table(), preserve_index=False)
    fields = [
        field.with_metadata({"unit": unit}) if field.name.startswith("psfMag") else field for field in given.schema
    ]
    return parquet_bytes(given.cast(pa.schema(fields)))


def _in_votable(unit: str) -> str:
    escaped = unit.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace("\x1b", "?")
    text = astropy_bytes("votable", table().astype({"objID": str})).decode()
    return text.replace('datatype="double"', f'datatype="double" unit="{escaped}"')
