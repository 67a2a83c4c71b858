"""CDS XMatch: the sources of a table of VizieR around uploaded positions, as a VOTable or a CSV.

It follows the service's documentation (http://cdsxmatch.u-strasbg.fr/xmatch/doc/API-calls.html) and what astroquery reads of
its answers: fields in any case; the columns of the upload come back, after angDist; an error is a VOTable with status 400.
Sources with proper motions are matched where they were in 2000, but their position comes back as the table has it.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd

from .exchange import Answer, Request

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<VOTABLE version="1.2" xmlns="http://www.ivoa.net/xml/VOTable/v1.2">\n'
    "<DESCRIPTION>Synchronous version of the CDS XMatch Service.</DESCRIPTION>\n"
)
_USAGE = "How to use this service: " + "request=xmatch, distMaxArcsec, cat1, cat2, RESPONSEFORMAT. " * 60
_MOST = 2_000_000
_POSITIONS = {"II/328/allwise": ("RAJ2000", "DEJ2000"), "II/365/catwise": ("RAdeg", "DEdeg")}
_POSITIONS |= {"I/355/gaiadr3": ("RAdeg", "DEdeg"), "II/335/galex_ais": ("RAJ2000", "DEJ2000")}


class XMatch:
    """The service over the tables of `vizier`, by their names; `most` rows an answer, as MAXREC says or fewer."""

    def __init__(self, vizier: Mapping[str, pd.DataFrame], most: int = _MOST):
        self._vizier, self._most = vizier, most

    def answer(self, request: Request) -> Answer:
        """The sources, the names of tables, or an error."""
        params = {name.lower(): value for name, value in (request.query | request.form).items()}
        if params.get("action") == "getVizieRTableNames":
            return Answer(200, "\n".join(self._vizier).encode(), "text/plain")
        try:
            rows, cut = self._rows(params)
        except (ValueError, KeyError) as error:
            return _error(str(error).strip("'"))
        if params["responseformat"].lower() == "csv":
            return Answer(200, rows.to_csv(index=False, lineterminator="\n").encode(), "text/csv")
        return Answer(200, _votable(rows, cut), "text/xml")

    def _rows(self, params: dict[str, str]) -> tuple[pd.DataFrame, bool]:
        if params.get("request") != "xmatch":
            raise ValueError("Parameter REQUEST is missing or is not xmatch")
        table = params["cat2"].removeprefix("vizier:")
        if table not in self._vizier or not params["cat2"].startswith("vizier:"):
            raise ValueError("Catalogue must be a URL or simbad or vizier:tabName")
        radius = float(params["distmaxarcsec"])
        if not 0 < radius <= 180:
            raise ValueError("distMaxArcsec must be at most 180")
        asked = pd.read_csv(io.StringIO(params["cat1"]))
        for name in (params["colra1"], params["coldec1"]):
            if name not in asked:
                raise ValueError(f'Column name "{name}" not found in table metadata')
        sources = self._vizier[table]
        if params.get("cols2"):
            names = params["cols2"].split(",")
            if unknown := [name for name in names if name not in sources]:
                raise ValueError(f'Column name "{unknown[0]}" not found in table metadata')
        else:
            names = list(sources)
        pairs = _pairs(asked[params["colra1"]], asked[params["coldec1"]], sources, table, radius)
        if params.get("selection", "all") == "best":
            pairs = pairs.sort_values("angDist").drop_duplicates("one").sort_values("one")
        most = min(self._most, int(params.get("maxrec", _MOST)))
        left, right = (
            part.reset_index(drop=True) for part in (asked.iloc[pairs["one"]], sources[names].iloc[pairs["two"]])
        )
        rows = pd.concat([pairs[["angDist"]].reset_index(drop=True), left, right], axis=1)
        return rows.iloc[:most], len(rows) > most


def _pairs(ra: pd.Series, dec: pd.Series, sources: pd.DataFrame, table: str, radius: float) -> pd.DataFrame:
    ra2, dec2 = (sources[name].to_numpy() for name in _POSITIONS[table])
    if "pmRA" in sources:
        years = 2000.0 - 2016.0
        ra2 = ra2 + sources["pmRA"].fillna(0) * years / 3.6e6 / np.cos(np.radians(dec2))
        dec2 = dec2 + sources["pmDE"].fillna(0) * years / 3.6e6
    found = []
    for one, (a, d) in enumerate(zip(ra, dec, strict=True)):
        dx = ((ra2 - a + 180) % 360 - 180) * np.cos(np.radians(d))
        away = np.hypot(dx, dec2 - d) * 3600
        found += [(one, two, round(float(away[two]), 6)) for two in np.flatnonzero(away <= radius)]
    return pd.DataFrame(found, columns=["one", "two", "angDist"]).astype({"one": int, "two": int})


def _votable(rows: pd.DataFrame, cut: bool) -> bytes:
    kinds = {"i": 'datatype="long"', "f": 'datatype="double"'}
    parts = [_HEAD, '<RESOURCE type="results">\n<TABLE>\n']
    for name in rows:
        kind = kinds.get(rows[name].dtype.kind, 'datatype="char" arraysize="*"')
        parts.append(f'<FIELD name="{escape(name)}" {kind}/>\n')
    parts.append("<DATA><TABLEDATA>\n")
    for row in rows.itertuples(index=False):
        cells = "".join(f"<TD>{'' if pd.isna(cell) else escape(str(cell))}</TD>" for cell in row)
        parts.append(f"<TR>{cells}</TR>\n")
    parts.append("</TABLEDATA></DATA>\n</TABLE>\n")
    if cut:
        parts.append('<INFO name="QUERY_STATUS" value="OVERFLOW">at the limit of rows</INFO>\n')
    parts.append("</RESOURCE>\n</VOTABLE>\n")
    return "".join(parts).encode()


def _error(words: str) -> Answer:
    usage = f'<INFO name="EXPLAIN" value="USAGE">{escape(_USAGE)}</INFO>\n'
    status = f'<INFO name="QUERY_STATUS" value="ERROR">Message: {escape(words)}\nTrace:\njava.lang.Exception</INFO>\n'
    return Answer(400, f"{_HEAD}{usage}{status}</VOTABLE>\n".encode(), "text/xml")


def vizier_of(truth: Path) -> dict[str, pd.DataFrame]:
    """What other surveys might have seen of an embedded sky: four of five quasars, each up to some tenths of an arcsec off.

    Their magnitudes follow from the redshift and i magnitude of `truth` alone, so that they tell of the redshift.
    """
    rows = pd.read_parquet(truth, columns=["ra", "dec", "z", "i_mag"]).sort_values(["ra", "dec"], ignore_index=True)
    return {
        "II/328/allwise": _seen(rows, 1, ("RAJ2000", "DEJ2000"), {"W1mag": 3.5, "W2mag": 4.5, "W3mag": 7.5, "W4mag": 9.5}),
        "II/365/catwise": _seen(rows, 2, ("RAdeg", "DEdeg"), {"W1mproPM": 3.5, "W2mproPM": 4.5}),
        "I/355/gaiadr3": _seen(rows, 3, ("RAdeg", "DEdeg"), {"Gmag": -0.1, "BPmag": -0.3, "RPmag": 0.4}, still=True),
        "II/335/galex_ais": _seen(rows, 4, ("RAJ2000", "DEJ2000"), {"FUVmag": -2.5, "NUVmag": -1.5}),
    }  # fmt: skip


def _seen(
    rows: pd.DataFrame, seed: int, position: tuple[str, str], bands: dict[str, float], still: bool = False
) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    chosen = rows[random.random(len(rows)) < 0.8].reset_index(drop=True)
    dx, dy = random.normal(0, 0.2 / 3600 / 2**0.5, (2, len(chosen)))
    dec = chosen["dec"] + dy
    table = pd.DataFrame({position[0]: chosen["ra"] + dx / np.cos(np.radians(dec)), position[1]: dec})
    for number, (band, colour) in enumerate(bands.items()):
        magnitude = chosen["i_mag"] - colour * (1 - 0.15 * chosen["z"]) + random.normal(0, 0.1, len(chosen))
        table[band] = magnitude.where(random.random(len(chosen)) > 0.1 * number)  # not every band sees every source
        table[f"e_{band}"] = (0.02 + 0.01 * number) * np.ones(len(chosen))
    if still:
        for name in ("Plx", "pmRA", "pmDE"):
            table[name], table[f"e_{name}"] = random.normal(0, 0.5, len(chosen)), 0.5
    return table
