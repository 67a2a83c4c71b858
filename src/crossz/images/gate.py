"""The Arrow store of images: one memory-mapped IPC file a shard, found by objID through one index.

Pixels are stored as float16 in units of 1/16 nmgy: native SDSS pixels carry 10 significant bits, and times 16 they
are float16-exact (docs/method.md). A pixel that float16 cannot hold is clipped to its largest value and counted.
"""

from pathlib import Path

from crossz.core.errors import CrosszError
from crossz.core.files import read_json, write_json
from crossz.images.store import OK


def gate(counts_path: str | Path, missing_path: str | Path, gate_path: str | Path, max_loss: float) -> None:
    """Raise CrosszError when a share of more than `max_loss` of the objects has no usable image; else write the share."""
    counts = read_json(counts_path)
    loss = 1 - counts["status"].get(OK, 0) / max(counts["objects"], 1)
    if loss > max_loss:
        raise CrosszError(
            f"{loss:.1%} of {counts['objects']:,} objects have no usable image ({counts['status']}); {missing_path} lists them; "
            f"the gate is cutouts.max_loss = {max_loss:g}: find the missing frames or files and rerun (-R stamps, or mat_cutouts), or raise it"
        )
    write_json(gate_path, {"objects": counts["objects"], "loss": loss, "max_loss": max_loss})
