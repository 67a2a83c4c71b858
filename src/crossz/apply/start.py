"""The weights of a bundle, as the start of another training (train.start)."""

from pathlib import Path

import torch

from crossz.apply.bundle import load_bundle
from crossz.core.files import atomic_path


def write_start(*, network: str | Path, start: str | Path) -> None:
    """Write the weights of all networks of a bundle, in the order of its splits.

    Parameters
    ----------
    network
        A name, a folder or a zip file (`networks.place_of`).
    start
        The file to write, for `models.start.read`.
    """
    bundle = load_bundle(network, torch.device("cpu"))
    weights = [dict(net.state_dict()) for split in bundle.splits for net in split.members]
    with atomic_path(start) as temporary, open(temporary, "wb") as handle:  # torch writes the name of a file into it
        torch.save(weights, handle)
