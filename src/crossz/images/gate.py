"""The gate: a run stops here when too many objects have no image."""

from pathlib import Path

from crossz.core.constants import OK
from crossz.core.errors import CrosszError
from crossz.core.files import read_json, write_json


def write_gate(*, counts: str | Path, missing: str | Path, gate: str | Path, max_loss: float) -> None:
    """Compare the share of objects without a usable image with the largest allowed, and write it.

    Parameters
    ----------
    counts, missing
        What `images.index.write_index` wrote; `missing` is only named in the message.
    gate
        What is written.
    max_loss
        Largest share of objects without a usable image.

    Raises
    ------
    CrosszError
        The share is larger.
    """
    account = read_json(counts)
    loss = 1 - account["status"].get(OK, 0) / max(account["objects"], 1)
    if not loss <= max_loss:  # NaN is no share
        raise CrosszError(
            f"{loss:.1%} of {account['objects']:,} objects have no usable image ({account['status']}); "
            f"{missing} lists them; the gate is cutouts.max_loss = {max_loss:g}: find the missing frames or files and "
            "rerun (-R stamps, or mat_cutouts), or raise it"
        )
    write_json(gate, {"objects": account["objects"], "loss": loss, "max_loss": max_loss})
