"""Whether results/ belongs to another survey: a run would remake it."""

from pathlib import Path
from typing import Any

import yaml

EMBEDDED = "embedded sky"
"""Source of the catalogs of the survey embedded, in their receipts."""


def other_survey(config: dict[str, Any], folder: str | Path) -> str:
    """What the folder of results holds of another survey than that of the configuration, and what to do; "" if nothing.

    Parameters
    ----------
    config
        The checked configuration.
    folder
        results.
    """
    survey, there = config["survey"], ""
    record = Path(folder, "run.yaml")
    if record.is_file():
        made = _mapping(_mapping(record).get("config")).get("survey", survey)
        there = f"{record}: a run of survey {made}" if made != survey else ""
    for receipt in sorted(Path(folder, "catalog/raw").glob("*.receipt.json")):
        if (_mapping(receipt).get("source") == EMBEDDED) != (survey == "embedded"):
            what = "the embedded sky" if survey != "embedded" else "another survey"
            there = there or f"{receipt}: a catalog of {what}"
    remedy = "--config run=NAME runs in runs/NAME and keeps it; or move results away"
    return f"{there}. This configuration is of survey {survey} and would remake it: {remedy}" if there else ""


def _mapping(content: Any) -> dict[str, Any]:
    """A mapping, or that in a file of YAML or JSON; {} of anything else, since whoever needs the file says what is wrong."""
    try:
        found = yaml.safe_load(content.read_text()) if isinstance(content, Path) else content
    except (yaml.YAMLError, UnicodeDecodeError):
        found = None
    return found if isinstance(found, dict) else {}
