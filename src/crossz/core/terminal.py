"""What the terminal shows of a run of the workflow: each job's own lines, how far the run is, and errors in full."""

import logging
import os
from collections.abc import Callable

_NOISE = {"job_info", "group_info", "job_started", "job_finished"}
"""Events of Snakemake that say of each job what the job's own lines say."""
_SELECT = "Select jobs to execute..."
_LINES = 50
"""The most lines that say how far a run is."""


def short_lines() -> Callable[[logging.LogRecord], bool]:
    """A filter for the handler of Snakemake that writes to the terminal.

    It leaves out what Snakemake says of each job that begins and ends, and all but some fifty of the lines that say how many
    steps are done. Errors, with the rule and its log, pass. With CROSSZ_LOG=verbose everything passes.
    """
    shown = -1

    def passes(record: logging.LogRecord) -> bool:
        nonlocal shown
        if os.environ.get("CROSSZ_LOG") == "verbose":
            return True
        event = getattr(record, "event", None)
        name = str(getattr(event, "value", event))
        if name == "progress":
            part = _LINES * record.done // max(1, record.total)  # type: ignore[attr-defined]
            before, shown = shown, part
            return part != before
        return name not in _NOISE and record.getMessage() != _SELECT

    return passes
