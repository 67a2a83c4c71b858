"""Every known way in which the archive lies, for frames, spectra, SkyServer and CasJobs: what comes of it.

The last test holds docs/reliability.md against what was seen here; CROSSZ_WRITE_DOCS=1 writes it anew.
"""

import os
import re
import time

import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers import ROOT, archive
from local_archive import Fault, serve

from crossz.archive import embedded, query, sas, services
from crossz.archive.http import Client, limits
from crossz.archive.spectra import fetch_spectrum
from crossz.core.errors import CrosszError
from crossz.sdss.frames import FieldID, frame_path
from crossz.sdss.spectra import SpectrumID, spectrum_path

PAGE = ROOT / "docs/reliability.md"
SQL = ROOT / "workflow/sql/baseline.sql"
LONGEST = 20.0  # seconds that any one of these may take; the limits below say why

COMMON = {
    "503": ("503 Service Unavailable", "HTTP 503"),
    "429": ("429 with Retry-After", "HTTP 429"),
    "500json": ("500 with a JSON error", "HTTP 500"),
    "refuse": ("closes the connection without an answer", "no connection"),
    "reset": ("resets the connection midway", "connection broke"),
    "stall": ("stops sending midway", "silence"),
    "slow": ("sends a byte a second", "slower than"),
    "cut_length": ("sends half of the promised length", "connection broke|cut short"),
    "cut_chunked": ("stops before the last chunk", "connection broke"),
}
BODIES = {
    "cut_no_length": ("sends half, without any length", "ends too early|no whole FITS|damaged FITS"),
    "html200": ("sends an HTML page with status 200", "damaged bz2|no whole FITS"),
    "wrong_bytes": ("sends zeros of the right length", "damaged bz2|no whole FITS"),
    "other_file": ("sends another, valid file", "header says"),
    "trailing": ("sends more behind the file", "behind its end|no whole FITS"),
}
ROWS = {
    "cut_no_length": ("sends half, without any length", "last line is cut|rows instead of|not a table"),
    "html200": ("sends an HTML page with status 200", "an HTML page"),
    "skyserver_error_html": ("sends its own error page with status 200", "an HTML page"),
    "cut_row": ("cuts the CSV within its last row", "last line is cut|not a table"),
    "drop_rows": ("leaves out the last row", "rows instead of the"),
    "short_row": ("leaves out a cell", "not a table"),
    "rename_column": ("names a column otherwise", "instead of rerun, run"),
    "reorder": ("turns the columns around, header and all", None),
    "404": ("404", "is archive.* the right address"),
}
FINAL = {
    "float_ids": ("sends 64-bit ids as floats", "64-bit ids lose digits in a float"),
    "error_message": ("sends an `error_message`, status 200", "the service says"),
}
"""What a second request does not mend, and is not asked for again."""
CASES = {
    "frame": COMMON
    | BODIES
    | {"flip": ("flips one bit", "damaged bz2"), "401": ("401", "is archive.sas a public mirror")},
    "spectrum": COMMON | BODIES,
    "SkyServer": COMMON | ROWS | FINAL,
    "CasJobs": COMMON | ROWS | FINAL,
}
SEEN: dict[tuple[str, str], str] = {}


@pytest.fixture
def server(small_sky):
    with serve(small_sky / "sky.sqlite", [small_sky / "sas", small_sky / "spectra"]) as running:
        yield running


def a_frame(small_sky):
    path = sorted((small_sky / "sas").rglob("frame-r-*.bz2"))[0]
    _, _, run, camcol, field = re.split(r"[-.]", path.name)[:5]
    return FieldID(301, int(run), int(camcol), int(field))


def get_frame(small_sky, url, folder, **more):
    field = a_frame(small_sky)
    with sas.Frames([], folder, sas.Place(None, archive(url, **more), False)) as frames:
        found = frames(field, "r")
        frames.write_manifest(folder / "manifest.jsonl")
    path = frame_path(folder, field, "r")
    original = frame_path(small_sky / "sas", field, "r").read_bytes()
    assert (path.read_bytes() if path.exists() else None) == (None if found is None else original)
    return found


def get_spectrum(small_sky, url, folder):
    ids = pd.read_parquet(small_sky / "truth.parquet")["spectra"][0][0]
    ids = [ids[name] for name in ("plate", "mjd", "fiberID", "run2d")]
    with Client(limits(archive(url))) as client:
        body = fetch_spectrum(client, archive(url)["sas"], SpectrumID(*ids))
    assert body == spectrum_path(small_sky / "spectra", *ids).read_bytes()


def get_rows(small_sky, url, folder, backend, **more):
    outputs = {"raw": folder / "raw.parquet", "receipt": folder / "receipt.json"}
    with services.connected(backend, archive(url, **more)) as service:
        query.write_archive_query(sql=SQL, **outputs, cache=folder / "cache", context="DR17", service=service)
    return pq.read_table(outputs["raw"]).to_pandas()


@pytest.fixture(scope="module")
def honest(small_sky, tmp_path_factory):
    """The rows of the embedded service, which need no network."""
    folder = tmp_path_factory.mktemp("honest")
    outputs = {"raw": folder / "raw.parquet", "receipt": folder / "receipt.json"}
    embedded.write_query(sql=SQL, database=small_sky / "sky.sqlite", **outputs)
    return pq.read_table(folder / "raw.parquet").to_pandas()


def get(service, small_sky, url, folder, honest):
    if service == "frame":
        assert get_frame(small_sky, url, folder) is not None
    elif service == "spectrum":
        get_spectrum(small_sky, url, folder)
    else:
        rows = get_rows(small_sky, url, folder, service.lower())
        pd.testing.assert_frame_equal(
            rows.sort_values("specObjID", ignore_index=True), honest.sort_values("specObjID", ignore_index=True)
        )


TARGET = {"frame": "GET /sas/", "spectrum": "GET /sas/", "SkyServer": "BETWEEN", "CasJobs": "BETWEEN"}


@pytest.mark.parametrize(("service", "kind"), [(service, kind) for service, kinds in CASES.items() for kind in kinds])
def test_a_lie(service, kind, small_sky, server, login, honest, tmp_path):
    _, error = CASES[service][kind]
    cells = {}
    for times in (1, None):
        folder = tmp_path / str(times)
        folder.mkdir()
        server.faults[:] = [Fault(TARGET[service], kind, times)]
        start = time.monotonic()
        try:
            get(service, small_sky, server.url, folder, honest)
            cells[times] = "recovers" if times or error else "no harm"
        except CrosszError as caught:
            cells[times] = str(caught)
        assert time.monotonic() - start < LONGEST
        wrong = [path for path in folder.rglob("*") if path.is_file() and ".part" in path.name]
        assert not wrong
        if cells[times] != "recovers" and cells[times] != "no harm":
            assert not list(folder.glob("raw*"))
            assert re.search(error, cells[times])
            server.faults.clear()
            get(service, small_sky, server.url, folder, honest)  # a rerun goes on and ends well
    assert cells[1] == "recovers" or kind in FINAL or kind in ("404", "401")
    assert error is None or cells[None] not in ("recovers", "no harm")
    once = "recovers" if cells[1] == "recovers" else "ends"
    always = cells[None] if error is None else f'"{re.search(error, cells[None])[0]}"'
    SEEN[service, kind] = f"{once}; {always}"


def table():
    """What was seen: a row a lie, a column a service."""
    lines = [f"| the server | {' | '.join(CASES)} |", "|---" * (1 + len(CASES)) + "|"]
    kinds = {kind: what for cases in CASES.values() for kind, (what, _) in cases.items()}
    for kind, what in kinds.items():
        lines.append(f"| {what} | {' | '.join(SEEN.get((service, kind), '') for service in CASES)} |")
    return "\n".join(lines)


def test_the_page_says_what_was_seen():
    if len(SEEN) < sum(map(len, CASES.values())):
        pytest.skip("only some of the lies were told in this run")
    before, after = PAGE.read_text().split("<!-- from tests/test_reliability.py -->\n")[::2]
    mark = "<!-- from tests/test_reliability.py -->\n"
    page = f"{before}{mark}{table()}\n{mark}{after}"
    if os.environ.get("CROSSZ_WRITE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "run this file with CROSSZ_WRITE_DOCS=1, and read the difference"
