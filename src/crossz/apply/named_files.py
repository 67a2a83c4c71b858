"""The files of the user that settings name, looked at before any job runs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crossz.apply import bundle_folder
from crossz.apply.bundle_folder import FACTS, LARGEST_TEXT
from crossz.catalog.header import needs_archive
from crossz.core.config import network
from crossz.core.errors import CrosszError
from crossz.core.foreign import read_file
from crossz.core.job import message_of


def problems(config: dict[str, Any]) -> list[str]:
    """What is wrong with the files of targets, bundle, class_bundle and train.start: one line each, with the setting."""
    found: list[str] = []
    for key in ("bundle", "class_bundle"):
        if config[key] is not None:
            with _noted(key, found):
                _check_facts(Path(config[key]))
    if config["targets"] is not None:
        with _noted("targets", found):
            needs_archive(config["targets"], config["catalog"]["columns"])
    for start in {network(config, name)["train"]["start"]: None for name in config["networks"]}:
        if start is not None:
            with _noted("train.start", found), bundle_folder.opened(start) as folder:
                bundle_folder.check(folder)
    return found


def _check_facts(bundle: Path) -> None:
    """Return if the graph of jobs can be made of what a bundle says; the jobs check all of its bytes."""
    if not (bundle / FACTS).exists():
        raise CrosszError(
            f"{bundle}: no folder of a bundle: it has no {FACTS}; unpack a zip file, or use `crossz predict`"
        )
    try:
        facts = json.loads(read_file(bundle / FACTS, LARGEST_TEXT))
        columns, images = facts.get("columns", []), facts["images"]
        known = all(isinstance(name, str) for name in columns) and (images is None or isinstance(images["align"], str))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        known = False
    if not known:
        raise CrosszError(f"{bundle / FACTS}: not a crossz bundle's, or damaged; get the bundle again")


@contextmanager
def _noted(key: str, found: list[str]) -> Iterator[None]:
    try:
        yield
    except (CrosszError, OSError) as error:
        found.append(f"{key}: {message_of(error)}")
