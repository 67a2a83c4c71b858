"""Weights that a training starts from, in place of random ones (train.start)."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from crossz.core.errors import CrosszError

log = logging.getLogger(__name__)

Weights = Mapping[str, torch.Tensor]


def read(path: str | Path) -> tuple[Weights, ...]:
    """The weights of each network of `apply.start.write_start`."""
    return tuple(torch.load(path, map_location="cpu", weights_only=True))


def begin_from(net: nn.Module, weights: Weights) -> None:
    """Set the parameters of `net` that `weights` has with the same name and shape; say which it has not.

    Raises CrosszError if it has none.
    """
    own = net.state_dict()
    fitting = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise CrosszError("train.start: none of its arrays fits the network that trains; name another bundle, or null")
    net.load_state_dict(own | fitting)
    parts = sorted({name.split(".")[0] for name in own.keys() - fitting.keys()})
    log.info(
        f"train.start: {len(fitting)} of {len(own)} arrays are set" + (f"; random: {', '.join(parts)}" if parts else "")
    )
