"""What may be given to `crossz predict` as the table of targets and as the place of the estimates."""

import os
from pathlib import Path

from crossz.apply.networks import shipped
from crossz.core.errors import CrosszError

SUFFIXES = (".parquet", ".csv", ".fits", ".vot", ".ecsv")
"""Of the tables that are written: the keys of `writers.WRITERS`, which need libraries."""


def is_folder(out: str) -> bool:
    """Whether a name is that of a folder: it ends with a slash, has no suffix, or is one."""
    return out.endswith(("/", os.sep)) or not Path(out).suffix or Path(out).is_dir()


def check_paths(targets: Path | None, out: str) -> None:
    """Return if the table of targets (None: there is none) can be read and the estimates can be written.

    Raises CrosszError with the remedy otherwise.
    """
    if not is_folder(out) and Path(out).suffix not in SUFFIXES:
        raise CrosszError(
            f"{out}: tables are written as {', '.join(SUFFIXES)}, or as Parquet into a folder; end its name so, or with /"
        )
    if targets is None or str(targets) == "-":
        return
    if not targets.is_file():
        swapped = str(targets) in shipped()
        order = f"; {targets} is a network: the order is NETWORK TARGETS OUT" if swapped else ""
        raise CrosszError(f"{targets}: no such table of targets{order}")
    if Path(out).exists() and Path(out).samefile(targets):
        raise CrosszError(f"{out}: that is the table of targets itself; name another file")
