"""Small requests that tell a user what of the archive works from here, and what to do where it does not."""

import logging
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from crossz.archive import casjobs, spectra, xmatch
from crossz.archive.frame_bytes import REMEDY
from crossz.archive.http import Client, limits
from crossz.archive.responses import Denied, Missing, Reply
from crossz.archive.skyserver import SkyServer
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.sdss.frames import MOST, FieldID, Frame, decode, frame_path
from crossz.sdss.spectra import SpectrumID, spectrum_path

log = logging.getLogger(__name__)

WITHIN_S = 12.0
"""So long all checks together may take, which run side by side: with snakemake's start, a user waits 15 s."""
_NAMES = ("rerun", "run", "camcol", "field", "plate", "mjd", "fiberID", "run2d")
_SQL = (
    "SELECT TOP 1 b.rerun, b.run, b.camcol, b.field, a.plate, a.mjd, a.fiberID, a.run2d FROM SpecObjAll AS a "
    "JOIN PhotoObjAll AS b ON a.bestObjID = b.objID WHERE a.class = 'QSO' AND a.zWarning = 0 AND b.clean = 1"
)
# What is asked for when no SQL service answers: a frame and a spectrum of DR17.
_FIELD = FieldID(301, 1043, 5, 25)
_SPECTRUM = SpectrumID(10000, 57346, 5, "v5_13_2")
_QUASAR = np.array([187.277915]), np.array([2.052388])  # 3C 273, degrees
_WRITE_MB = 64
_PUBLIC = "is archive.sas a complete public mirror of DR17? (A local archive has spectra after `snakemake results/sky/spectra`.)"


class _Checks:
    # One method a check; each says what worked, or raises.
    def __init__(self, backend: str, archive: dict[str, Any], folder: str | Path, client: Client):
        self._backend, self._archive, self._folder, self._client = backend, archive, folder, client
        self._field, self._spectrum = _FIELD, _SPECTRUM
        self._asked = threading.Event()

    def login(self) -> str:
        if self._backend != "casjobs":
            return f"not needed (catalog.backend: {self._backend})"
        session = casjobs.Session(self._client, self._archive)
        return f"{len(session.tables())} tables in MyDB"

    def sql(self) -> str:
        try:
            return self._sql()
        finally:
            self._asked.set()

    def _sql(self) -> str:
        if self._backend == "casjobs":
            session = casjobs.Session(self._client, self._archive)
            found = session.quick(self._archive["context"], _SQL, _NAMES, 1, "SQL", _quasar)
        else:
            found = SkyServer(self._client, self._archive).ask(_SQL, _NAMES, 1, "SQL", _quasar)
        self._field, self._spectrum = found
        return f"a quasar in field {self._field.run}-{self._field.camcol}-{self._field.field}"

    def frame(self) -> str:
        if not self._archive["sas"]:
            return "not needed (archive.sas: [])"
        self._asked.wait(WITHIN_S / 2)
        name = frame_path("", self._field, "r").as_posix()
        urls = [f"{mirror.rstrip('/')}/{name}" for mirror in self._archive["sas"]]

        def accept(reply: Reply) -> tuple[Reply, Frame]:
            return reply, decode(reply.body, self._field, "r")

        reply, _ = self._client.fetch(urls, name, accept, REMEDY, most=MOST)
        return f"{len(reply.body) / 1e6:.1f} MB of {reply.url}"

    def spectrum(self) -> str:
        if not self._archive["sas"]:
            return "not needed (archive.sas: [])"
        self._asked.wait(WITHIN_S / 2)
        body = spectra.fetch_spectrum(self._client, self._archive["sas"], self._spectrum)
        return f"{len(body) / 1e6:.2f} MB"

    def crossmatch(self, surveys: Sequence[str]) -> str:
        with tempfile.TemporaryDirectory() as cache:
            find = xmatch.finder(self._client, self._archive, cache)
            return ", ".join(f"{len(find(name, *_QUASAR, 2.0))} of {name}" for name in surveys) + " beside 3C 273"

    def write(self) -> str:
        with atomic_path(Path(self._folder, ".doctor")) as temporary:
            temporary.write_bytes(bytes(_WRITE_MB << 20))
        Path(self._folder, ".doctor").unlink()
        return f"{_WRITE_MB} MB into {self._folder}"


def _quasar(answer: pa.Table) -> tuple[FieldID, SpectrumID]:
    """Field and spectrum in the answer to _SQL. What else it holds raises here, where the client asks again."""
    row = answer.to_pylist()[0]
    field = FieldID(*(int(row[name]) for name in FieldID._fields))
    spectrum = SpectrumID(int(row["plate"]), int(row["mjd"]), int(row["fiberID"]), str(row["run2d"]))
    spectrum_path("", *spectrum)
    return field, spectrum


def _ask(name: str, check: Callable[[], str], backend: str, answers: dict[str, str]) -> None:
    """Put the line of one check into `answers`."""
    start = time.monotonic()
    try:
        answers[name] = f"ok      {check()} in {time.monotonic() - start:.1f} s"
    except (CrosszError, OSError) as error:
        answers[name] = f"FAILED  {error}"
    except (Missing, Denied) as error:
        service = "xmatch" if name == "XMatch" else backend
        remedy = _PUBLIC if name in ("frame", "spectrum") else f"is archive.{service} the right address?"
        answers[name] = f"FAILED  {error}: {remedy}"


def examine(*, backend: str, archive: dict[str, Any], folder: str | Path, surveys: Sequence[str] = ()) -> None:
    """Log one line a check: login, SQL, a frame, a spectrum, external surveys, write speed; with a remedy where one fails.

    A check that does not end in WITHIN_S has failed.

    Parameters
    ----------
    backend
        casjobs needs the login, skyserver does without.
    archive
        The block of the configuration.
    folder
        Where results are written.
    surveys
        External surveys that CDS XMatch is asked for (photometry.crossmatch).

    Raises
    ------
    errors.CrosszError
        A check fails.
    """
    client = Client(limits(archive)._replace(attempts=2))
    examination = _Checks(backend, archive, folder, client)
    checks: dict[str, Callable[[], str]] = {
        "login": examination.login,
        "SQL": examination.sql,
        "frame": examination.frame,
        "spectrum": examination.spectrum,
        "write": examination.write,
    }
    if surveys:
        checks["XMatch"] = lambda: examination.crossmatch(surveys)
    answers: dict[str, str] = {}
    threads = [
        threading.Thread(target=_ask, args=(name, check, backend, answers), daemon=True)
        for name, check in checks.items()
    ]
    end = time.monotonic() + WITHIN_S
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0.0))
    late = (
        f"FAILED  no answer in {WITHIN_S:g} s: the service is down or slow; a run is more patient (archive.deadline_s)"
    )
    lines = {name: answers.get(name, late) for name in checks}
    for name, line in lines.items():
        log.info(f"{name:9} {line}")
    if not any(thread.is_alive() for thread in threads):  # one that still waits needs the connection that this ends
        client.close()
    failed = sum(line.startswith("FAILED") for line in lines.values())
    if failed:
        raise CrosszError(f"doctor: {failed} of {len(checks)} checks failed; see above for what to do")
