"""The files of the user that settings name, looked at before any job runs."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crossz.apply import bundle_folder
from crossz.apply.bundle_folder import FACTS, LARGEST_TEXT
from crossz.catalog.header import needs_archive
from crossz.catalog.naming import unknown
from crossz.core.config import extra_columns, network
from crossz.core.errors import CrosszError
from crossz.core.foreign import read_file
from crossz.core.job import message_of


def problems(config: dict[str, Any]) -> list[str]:
    """What is wrong with the files of targets, bundle, class_bundle and train.start: one line each, with the setting.

    And with the names of columns that these files, and those of catalogs, may have.
    """
    found: list[str] = []
    extra = [*extra_columns(config)]
    for name in config["networks"]:
        extra += network(config, name)["photometry"]["columns"]
    for key in ("bundle", "class_bundle"):
        if config[key] is not None:
            with _noted(key, found):
                extra += _columns_of(Path(config[key]))
    if not found:
        found += _unknown_columns(config, extra)
    if config["targets"] is not None:
        with _noted("targets", found):
            needs_archive(config["targets"], config["catalog"]["columns"])
    for start in {network(config, name)["train"]["start"]: None for name in config["networks"]}:
        if start is not None:
            with _noted("train.start", found), bundle_folder.opened(start) as folder:
                bundle_folder.check(folder)
    return found


def _unknown_columns(config: dict[str, Any], extra: Iterable[str]) -> list[str]:
    """A line for each name in catalog.columns, and those of catalog.also, that is no column of crossz, and none of `extra`."""
    also = config["catalog"]["also"].items()
    said = {"catalog": config["catalog"]} | {f"catalog.also.{name}": block for name, block in also}
    pairs = [(f"{key}.columns", ours) for key, block in said.items() for ours in block.get("columns", {})]
    if not pairs:
        return []
    from crossz.catalog.columns import COLUMNS  # which takes a second that most runs need not wait
    from crossz.catalog.dcr import SOURCES

    known = dict.fromkeys([*COLUMNS, *extra, *SOURCES])
    return [f"{key}: {problem}" for key, ours in pairs if (problem := unknown(ours, known))]


def _columns_of(bundle: Path) -> list[str]:
    """The extra columns of a bundle, if the graph of jobs can be made of what it says; the jobs check all of its bytes."""
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
    return list(columns)


@contextmanager
def _noted(key: str, found: list[str]) -> Iterator[None]:
    try:
        yield
    except (CrosszError, OSError) as error:
        found.append(f"{key}: {message_of(error)}")
