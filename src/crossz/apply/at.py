"""One object by its position or its name: what the archive has of it, as a target."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from crossz.apply import output
from crossz.apply.answer import finished
from crossz.catalog.formats import Field
from crossz.catalog.lists import reading, renamed
from crossz.catalog.targets import checked, matched
from crossz.core.constants import OK
from crossz.core.errors import CrosszError
from crossz.core.text import printable

log = logging.getLogger(__name__)

ARCHIVE: dict[str, Any] = {
    "skyserver": "https://skyserver.sdss.org/dr17", "connections": 1, "attempts": 3, "timeout_s": 30, "deadline_s": 60,
    "pause_s": 2, "min_rate_kB_s": 1, "query_s": 60, "query_interval_s": 1,
}  # fmt: skip
"""Where SkyServer is, and how patient one question is. The workflow's settings are those of its configuration."""
RADIUS_ARCSEC = 2.0
_NUMBER = r"[+-]?\d+(?:\.\d*)?"


def split_position(words: Sequence[str]) -> tuple[str, str] | None:
    """Right ascension and declination, as they were written; None if the words are a name.

    They may be two numbers in degrees, two sexagesimal texts, or six numbers.
    """
    text = " ".join(words).replace(",", " ").strip()
    parts = text.split()
    if len(parts) == 2 and all(re.match(rf"{_NUMBER}([:hmds\d.]*)$", part) for part in parts):
        return parts[0], parts[1]
    if len(parts) == 6 and all(re.fullmatch(_NUMBER, part) for part in parts):
        return " ".join(parts[:3]), " ".join(parts[3:])
    return None


def target_at(words: Sequence[str]) -> pd.DataFrame:
    """The nearest primary object of SDSS within 2 arcsec of a position or of a named object: one row of `targets.matched`.

    Parameters
    ----------
    words
        Those of --at: RA and DEC, or a name that SIMBAD, NED or VizieR know.

    Raises
    ------
    CrosszError
        There is no such position, name or object, or a service does not answer.
    """
    try:
        from crossz.archive import crossid, sesame, skyserver
        from crossz.archive.http import Client, limits
    except ModuleNotFoundError as error:
        raise CrosszError(f"--at asks archives, which needs {error.name}: pip install 'crossz[workflow]'") from error
    written = split_position(words)
    if written is None:
        with Client(limits(ARCHIVE)) as client:
            ra, dec = sesame.position(client, " ".join(words))
        written = (str(ra), str(dec))
        log.info(f"{printable(' '.join(words), 60)} is at {written[0]}, {written[1]}")
    table = pa.table({"ra": [written[0]], "dec": [written[1]]})
    place = renamed(table, reading([Field("ra"), Field("dec")], "--at")).to_pandas()
    said = " ".join(words)
    if (first := checked(place).iloc[0])["status"] != OK:
        raise CrosszError(f"--at {printable(said, 60)}: {first['why']}")
    with skyserver.connected(ARCHIVE) as service:
        found = matched(place, crossid.finder(service), RADIUS_ARCSEC)
    if (why := found["why"].iloc[0]) or found["status"].iloc[0] != OK:
        raise CrosszError(f"--at {printable(said, 60)}: {why or 'nothing found'}")
    return found


def write_at(
    words: Sequence[str],
    table: pd.DataFrame,
    header: Mapping[str, str],
    out: str,
    page: Path | None,
    *,
    form: str,
    folder: bool,
) -> None:
    """Write the estimate of one object as a table, and as a page.

    Parameters
    ----------
    words
        Those of --at: the column target.
    table, header
        What `predict` and `answer.header_of` gave.
    out, folder
        What is written, and whether it is a folder (`output.opened`).
    page
        The HTML page; None without one.
    form
        How the PDF is written: one of `pdf_columns.FORMS`.
    """
    asked = pa.table({"target": [" ".join(words)]})
    rows = finished(asked, {}, table, header, text=Path(out).suffix == ".csv" and not folder, pdf=form)
    with output.opened(Path(out), folder) as write:
        write(rows)
    if page is not None:
        from crossz.apply.html_page import write_page_of

        write_page_of(rows, header, page, Path(out).name)
        log.info(f"{page}: the same as a page for a browser")


def in_words(row: pd.Series) -> str:
    """A few lines about the estimate of one object, for a terminal."""
    lines = [f"objID {row['objID']}, {row['separation_arcsec']:.2f} arcsec away"]
    if row["status"] != OK:
        return f"{lines[0]}\nno estimate: {row['status']}"
    if "class_phot" in row and pd.notna(row["class_phot"]):
        lines.append(f"class {row['class_phot']}, probability {row['p_' + row['class_phot']]:.2f}")
    if "z_phot" not in row:
        return "\n".join(lines)
    interval = f" (68 %: {row['z_low_68']:.3f} to {row['z_high_68']:.3f})" if "z_low_68" in row else ""
    as_quasar = "as a quasar: " if "class_phot" in row else ""
    lines.append(f"{as_quasar}z_phot {row['z_phot']:.3f}{interval}, from {row['inputs']}")
    if "z_peak_1" in row:
        peaks = [(row[f"z_peak_{k}"], row[f"p_peak_{k}"]) for k in (1, 2)]
        lines.append("peaks " + ", ".join(f"{z:.3f} (probability {p:.2f})" for z, p in peaks if p > 0))
    names = ("not_quasar", "out_of_domain", "z_at_end", "photometry_suspect", "faint", "edge")
    flags = [name for name in names if row.get(name)]
    if row["missing"]:
        flags.append(f"no photometry in {row['missing']}")
    return "\n".join([*lines, *([f"flags: {', '.join(flags)}"] if flags else [])])
