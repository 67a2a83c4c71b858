"""The command line of the local archive."""

import argparse
import json
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

from . import __doc__ as manual
from .faults import Fault
from .server import Hit, serve
from .xmatch import vizier_of


def _print_hit(hit: Hit) -> None:
    sent = "" if hit.complete else " incomplete"
    lie = f" [{hit.fault}]" if hit.fault else ""
    print(f"{hit.method} {hit.path} {hit.status or '-'} {hit.bytes_sent} bytes{sent}{lie}", flush=True)


def main() -> None:
    """Serve the folder that the command line names, until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.local_archive", description=manual.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds sky.sqlite, sas/ and perhaps spectra/")
    parser.add_argument("--port", type=int, default=8917)
    parser.add_argument("--faults", type=Path, help="JSON list of objects: path, kind, times, value")
    arguments = parser.parse_args()
    database = arguments.folder / "sky.sqlite"
    if not arguments.folder.is_dir():
        parser.error(f"{arguments.folder}: no such folder")
    entries = json.loads(arguments.faults.read_text()) if arguments.faults else []
    login = {
        "token_user": os.environ.get("CROSSZ_SERVE_USER", "user"),
        "token_password": os.environ.get("CROSSZ_SERVE_PASSWORD", "password"),
    }
    truth = arguments.folder / "truth.parquet"
    vizier = vizier_of(truth) if truth.exists() else None
    roots = [arguments.folder / "sas", arguments.folder / "spectra"]
    faults = [Fault(**entry) for entry in entries]
    options = login | {"port": arguments.port, "faults": faults, "vizier": vizier}
    with serve(database if database.exists() else None, roots, **options) as server:
        server.log = _print_hit
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a script starts in the background
        print(server.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
