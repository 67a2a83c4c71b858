"""Five small requests that tell a user what of the archive works from here, and what to do where it does not."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from crossz.archive import casjobs, sas, skyserver
from crossz.archive.http import Client, Denied, Missing, limits
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.sdss.frames import FieldID, decode, frame_path

log = logging.getLogger(__name__)

_NAMES = ("rerun", "run", "camcol", "field", "plate", "mjd", "fiberID", "run2d")
_SQL = (
    "SELECT TOP 1 b.rerun, b.run, b.camcol, b.field, a.plate, a.mjd, a.fiberID, a.run2d FROM SpecObjAll AS a "
    "JOIN PhotoObjAll AS b ON a.bestObjID = b.objID WHERE a.class = 'QSO' AND a.zWarning = 0 AND b.clean = 1"
)
_KNOWN = dict(zip(_NAMES, (301, 1043, 5, 25, 10000, 57346, 5, "v5_13_2"), strict=True))
"""What is asked for when no SQL service answers: a frame and a spectrum of DR17."""
_WRITE_MB = 64


def examine(backend: str, archive: dict, folder: str | Path) -> None:
    """Print one line a check: login, SQL, a frame, a spectrum, write speed of `folder`; with a remedy where one fails.

    `archive`: the block of the configuration; `backend`: casjobs needs the login, skyserver does without. Raises
    CrosszError when a check fails.
    """
    asked = dict(_KNOWN)
    failed = 0
    with Client(limits(archive)._replace(attempts=2)) as client:

        def login() -> str:
            if backend != "casjobs":
                return f"not needed (catalog.backend: {backend})"
            session = casjobs.Session(client, archive)
            return f"{len(session.tables())} tables in MyDB"

        def sql() -> str:
            if backend == "casjobs":
                answer = casjobs.Session(client, archive).quick(archive["context"], _SQL, _NAMES, 1, "SQL")
            else:
                answer = skyserver.ask(client, archive)(_SQL, _NAMES, 1, "SQL")
            row = answer.to_pylist()[0]
            asked.update({name: value if name == "run2d" else int(value) for name, value in row.items()})
            return f"a quasar in field {asked['run']}-{asked['camcol']}-{asked['field']}"

        def frame() -> str:
            if not archive["sas"]:
                return "not needed (archive.sas: [])"
            field = FieldID(*(asked[name] for name in FieldID._fields))
            name = frame_path("", field, "r").as_posix()
            urls = [f"{mirror.rstrip('/')}/{name}" for mirror in archive["sas"]]
            reply, _ = client.fetch(urls, name, lambda got: (got, decode(got.body, field, "r")), sas.REMEDY)
            return f"{len(reply.body) / 1e6:.1f} MB of {reply.url}"

        def spectrum() -> str:
            if not archive["sas"]:
                return "not needed (archive.sas: [])"
            body = sas.fetch_spectrum(client, archive["sas"], *(asked[name] for name in _NAMES[4:]))
            return f"{len(body) / 1e6:.2f} MB"

        def disk() -> str:
            with atomic_path(Path(folder, ".doctor")) as temporary:
                temporary.write_bytes(bytes(_WRITE_MB << 20))
            Path(folder, ".doctor").unlink()
            return f"{_WRITE_MB} MB into {folder}"

        checks: dict[str, Callable[[], str]] = {
            "login": login, "SQL": sql, "frame": frame, "spectrum": spectrum, "write": disk,
        }  # fmt: skip
        for name, check in checks.items():
            start = time.monotonic()
            try:
                told = f"ok      {check()} in {time.monotonic() - start:.1f} s"
            except (CrosszError, OSError) as error:
                failed += 1
                told = f"FAILED  {error}"
            except (Missing, Denied) as error:
                failed += 1
                told = f"FAILED  {error}: is archive.sas a whole, public mirror of DR17? (A local archive has spectra after `snakemake results/sky/spectra`.)"
            log.info(f"{name:9} {told}")
    if failed:
        raise CrosszError(f"doctor: {failed} of {len(checks)} checks failed; what to do stands above")
