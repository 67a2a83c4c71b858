"""Every known way in which the archive lies, for frames, spectra, SkyServer and CasJobs: what comes of it.

The last test holds docs/reliability.md against what was seen here; CROSSZ_WRITE_DOCS=1 writes it anew.
"""

import os
import re
import time

import pandas as pd
import pyarrow.parquet as pq
import pytest
from helpers import ROOT, archive, impatient, listening
from local_archive import Fault, serve

from crossz.archive import embedded, query, sas, services
from crossz.archive.http import Client, limits
from crossz.archive.spectra import fetch_spectrum
from crossz.core.errors import CrosszError
from crossz.sdss.frames import FieldID, frame_path
from crossz.sdss.spectra import SpectrumID, spectrum_path

PAGE = ROOT / "docs/reliability.md"
SQL = ROOT / "workflow/sql/baseline.sql"
LONGEST = 120.0  # seconds that each of these may take: time is bounded, and a busy machine has enough of it
MARK = "<!-- written by test_reliability.py -->\n"

COMMON = {
    "503": "answers 503 Service Unavailable",
    "429": "answers 429 with Retry-After",
    "500json": "answers 500 with an error in JSON",
    "refuse": "closes the connection without an answer",
    "reset": "resets the connection in the middle",
    "stall": "stops sending in the middle",
    "slow": "sends one byte per second",
    "cut_length": "sends half of the promised length",
    "cut_chunked": "stops before the last chunk",
}
BODIES = {
    "cut_no_length": "sends half of the answer, without a length",
    "html200": "sends an HTML page with status 200",
    "wrong_bytes": "sends zeros of the right length",
    "other_file": "sends another valid file",
    "trailing": "sends extra bytes after the file",
}
ROWS = {
    "cut_no_length": "sends half of the answer, without a length",
    "html200": "sends an HTML page with status 200",
    "skyserver_error_html": "sends its own error page with status 200",
    "cut_row": "cuts the CSV in its last row",
    "drop_rows": "leaves out the last row",
    "short_row": "leaves out a cell",
    "rename_column": "renames a column",
    "reorder": "changes the order of the columns, also in the header",
    "404": "answers 404",
    "float_ids": "sends 64-bit ids as floats",
    "error_message": "sends an `error_message` with status 200",
}
CASES = {
    "frame": COMMON | BODIES | {"flip": "flips one bit", "401": "answers 401"},
    "spectrum": COMMON | BODIES,
    "SkyServer": COMMON | ROWS,
    "CasJobs": COMMON | ROWS,
}
"""By service, the kinds of faults and what the server does."""
FITS = ("no whole FITS", "this is not a complete FITS file")
CUT = ("last line is cut|rows instead of|not a table|a quote is open", "the last line is cut")
ERRORS = {
    "503": ("HTTP 503", "HTTP 503"),
    "429": ("HTTP 429", "HTTP 429"),
    "500json": ("HTTP 500", "HTTP 500"),
    "refuse": ("no connection", "no connection"),
    "reset": ("connection broke", "the connection broke"),
    "stall": ("silence", "the server is silent"),
    "slow": ("slower than", "the transfer is too slow"),
    "cut_length": ("connection broke|cut short", "the connection broke"),
    "cut_chunked": ("connection broke", "the connection broke"),
    "cut_no_length": CUT,
    "html200": ("an HTML page", "an HTML page came instead of rows"),
    "skyserver_error_html": ("an HTML page", "an HTML page came instead of rows"),
    "cut_row": CUT,
    "drop_rows": ("rows instead of the", "the number of rows is not the number that was counted"),
    "short_row": ("not a table", "the answer is not a table"),
    "rename_column": ("instead of rerun, run", "the columns are not those of the query"),
    "reorder": None,
    "float_ids": ("64-bit ids lose digits in a float", "64-bit ids lose digits in a float"),
    "error_message": ("the service says", "the error text of the service"),
    "frame cut_no_length": ("ends too early", "the bz2 file ends too early"),
    "frame html200": ("damaged bz2", "the bz2 file is damaged"),
    "frame wrong_bytes": ("damaged bz2", "the bz2 file is damaged"),
    "frame flip": ("damaged bz2", "the bz2 file is damaged"),
    "frame trailing": ("behind its end", "there are bytes after the end of the file"),
    "other_file": ("header says", "the header belongs to another file"),
    "frame 401": ("is archive.sas a public mirror", "access denied; is `archive.sas` a public mirror?"),
    "spectrum cut_no_length": FITS,
    "spectrum html200": FITS,
    "spectrum wrong_bytes": FITS,
    "spectrum trailing": FITS,
    "SkyServer 404": ("is archive.skyserver the right", "nothing there; is `archive.skyserver` the right address?"),
    "CasJobs 404": ("is archive.casjobs the right", "nothing there; is `archive.casjobs` the right address?"),
}
"""By kind of fault, or by service and kind: a pattern of the error, and the page's words for it; None: no harm."""
FINAL = {"float_ids", "error_message", "404", "401"}
"""What a second request does not mend, and is not asked for again."""
SEEN: dict[tuple[str, str], str] = {}


@pytest.fixture
def server(small_sky):
    with serve(small_sky / "sky.sqlite", [small_sky / "sas", small_sky / "spectra"]) as running:
        yield running


def a_frame(small_sky):
    path = sorted((small_sky / "sas").rglob("frame-r-*.bz2"))[0]
    _, _, run, camcol, field = re.split(r"[-.]", path.name)[:5]
    return FieldID(301, int(run), int(camcol), int(field))


def get_frame(small_sky, block, folder):
    field = a_frame(small_sky)
    with sas.Frames([], folder, sas.Place(None, block, False)) as frames:
        frame = frames(field, "r")
        frames.write_manifest(folder / "manifest.jsonl")
    path = frame_path(folder, field, "r")
    original = frame_path(small_sky / "sas", field, "r").read_bytes()
    assert (path.read_bytes() if path.exists() else None) == (None if frame is None else original)
    return frame


def get_spectrum(small_sky, block):
    ids = pd.read_parquet(small_sky / "truth.parquet")["spectra"][0][0]
    ids = [ids[name] for name in ("plate", "mjd", "fiberID", "run2d")]
    with Client(limits(block)) as client:
        body = fetch_spectrum(client, block["sas"], SpectrumID(*ids))
    assert body == spectrum_path(small_sky / "spectra", *ids).read_bytes()


def get_rows(block, folder, backend):
    outputs = {"raw": folder / "raw.parquet", "receipt": folder / "receipt.json"}
    with services.connected(backend, block) as service:
        query.write_archive_query(sql=SQL, **outputs, cache=folder / "cache", context="DR17", service=service)
    return pq.read_table(outputs["raw"]).to_pandas()


@pytest.fixture(scope="module")
def honest(small_sky, tmp_path_factory):
    """The rows of the embedded service, which need no network."""
    folder = tmp_path_factory.mktemp("honest")
    outputs = {"raw": folder / "raw.parquet", "receipt": folder / "receipt.json"}
    embedded.write_query(sql=SQL, database=small_sky / "sky.sqlite", **outputs)
    return pq.read_table(folder / "raw.parquet").to_pandas()


def get(service, small_sky, block, folder, honest):
    """What `service` has, right; `block`: the configuration's archive block."""
    if service == "frame":
        assert get_frame(small_sky, block, folder) is not None
    elif service == "spectrum":
        get_spectrum(small_sky, block)
    else:
        rows = get_rows(block, folder, service.lower())
        pd.testing.assert_frame_equal(
            rows.sort_values("specObjID", ignore_index=True), honest.sort_values("specObjID", ignore_index=True)
        )


TARGET = {"frame": "GET /sas/", "spectrum": "GET /sas/", "SkyServer": "BETWEEN", "CasJobs": "BETWEEN"}


@pytest.mark.parametrize(("service", "kind"), [(service, kind) for service, kinds in CASES.items() for kind in kinds])
def test_a_lie(service, kind, small_sky, server, login, honest, tmp_path):
    pattern, words = ERRORS.get(f"{service} {kind}", ERRORS.get(kind)) or (None, None)
    outcomes = {}
    for times in (1, None):
        folder = tmp_path / str(times)
        folder.mkdir()
        server.faults[:] = [Fault(TARGET[service], kind, times)]
        settings = impatient if times is None and pattern else listening if kind in ("stall", "slow") else archive
        start = time.monotonic()
        try:
            get(service, small_sky, settings(server.url), folder, honest)
            outcomes[times] = None
        except CrosszError as error:
            outcomes[times] = str(error)
        assert time.monotonic() - start < LONGEST
        assert not [path for path in folder.rglob("*") if path.is_file() and ".part" in path.name]
        if outcomes[times] is not None:
            assert not list(folder.glob("raw*"))
            assert re.search(pattern, outcomes[times]), outcomes[times]
            server.faults.clear()
            get(service, small_sky, archive(server.url), folder, honest)  # a rerun goes on and ends well
    assert (outcomes[1] is not None) == (kind in FINAL)
    assert (outcomes[None] is None) == (pattern is None)
    always = "no harm" if pattern is None else f"error: {words}"
    SEEN[service, kind] = always if kind in FINAL else f"recovers; {always}"


def table():
    """What was seen: a row a lie, a column a service."""
    lines = [f"| the server | {' | '.join(CASES)} |", "|---" * (1 + len(CASES)) + "|"]
    kinds = {kind: what for cases in CASES.values() for kind, what in cases.items()}
    for kind, what in kinds.items():
        lines.append(f"| {what} | {' | '.join(SEEN.get((service, kind), '') for service in CASES)} |")
    return "\n".join(lines)


def test_the_page_says_what_was_seen():
    if len(SEEN) < sum(map(len, CASES.values())):
        pytest.skip("only some of the lies were told in this run")
    before, after = PAGE.read_text().split(MARK)[::2]
    page = f"{before}{MARK}{table()}\n{MARK}{after}"
    if os.environ.get("CROSSZ_WRITE_DOCS"):
        PAGE.write_text(page)
    assert PAGE.read_text() == page, "run this file with CROSSZ_WRITE_DOCS=1, and read the difference"


def test_every_test_that_the_page_names_is_there():
    named = set(re.findall(r"\btest_\w+", PAGE.read_text()))
    assert len(named) > 10
    assert not {name for name in named if not list((ROOT / "tests").rglob(f"{name}.py"))}
