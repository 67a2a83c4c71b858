"""Runs beside each other: each in a folder of its own, with the same files of the user."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RUNS = "runs"
"""Folder of the project that holds the runs with a name."""
_SETTINGS = (
    "targets",
    "bundle",
    "class_bundle",
    "catalog.files.*",
    "catalog.also.*.file",
    "stamps.frames_root",
    "cutouts.folder",
    "train.start",
    "variants.*.train.start",
)
"""Settings that name a file or a folder of the user."""


def keep_paths(config: dict[str, Any], project: Path, here: Path) -> None:
    """Change the relative paths in `config`, which start at the folder of the project, so that they hold from the folder `here`.

    They stay relative: a run record and a bundle have no path of a computer.
    """
    for block, key in _places(config):
        if isinstance(value := block[key], str) and (project / value).exists():
            block[key] = os.path.relpath(project / value, here)


def queries_folder(here: Path, project: Path) -> Path:
    """Where the SQL queries lie, as seen from `here`: there, else in the project.

    It is relative: Snakemake compares the paths of two runs, and a project may be moved.
    """
    own = Path("workflow/sql")
    return own if (here / own).is_dir() else Path(os.path.relpath(project / own, here))


def _places(config: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    # The block and the key of each setting of _SETTINGS that there is.
    for setting in _SETTINGS:
        *parents, last = setting.split(".")
        blocks = [config]
        for name in parents:
            found = (block.values() if name == "*" else [block.get(name)] for block in blocks)
            blocks = [block for some in found for block in some if isinstance(block, dict)]
        yield from ((block, key) for block in blocks for key in (block if last == "*" else [last]) if key in block)
