"""Where frames and spectra come from: a folder, the archive, or both."""

from pathlib import Path
from typing import Any, NamedTuple


class Place(NamedTuple):
    """Where frames and spectra come from.

    Attributes
    ----------
    root
        A folder in the archive's layout, or None.
    archive
        The configuration's archive block; None: stay off the network.
    keep
        What is fetched is kept in `root`.
    damaged_is_missing
        A frame that no mirror sends undamaged counts as missing; otherwise it stops the run.
    fetch
        How much of a frame is fetched: whole, prefix or blocks.
    audit
        Share of the frames fetched in part that are compared with the complete file.
    """

    root: str | Path | None
    archive: dict[str, Any] | None
    keep: bool
    damaged_is_missing: bool = False
    fetch: str = "whole"
    audit: float = 0.0


def place_of(config: dict[str, Any], folder: str | None = None) -> Place:
    """The place that `config` names; `folder`: the folder that a rule has filled with frames or spectra, if there is one."""
    archive, stamps = config["archive"] if config["survey"] == "sdss" else None, config["stamps"]
    return Place(
        folder or stamps["frames_root"],
        archive,
        stamps["keep_frames"],
        stamps["damaged_frames"] == "missing",
        stamps["fetch"] if config["survey"] == "sdss" else "whole",
        stamps["audit"],
    )
