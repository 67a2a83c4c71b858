"""The memory that a training needs, measured on tensors without content, beside the memory that there is."""

import logging
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.core.names import APERTURES
from crossz.models import backbones
from crossz.models.crossmodal import TOKEN
from crossz.models.data import IMAGE_BYTES
from crossz.models.inference import build, in_bfloat16
from crossz.models.info import ModelInfo

log = logging.getLogger(__name__)

MARGIN = 1.1
"""Working memory of the kernels and gaps between tensors: a tenth more than the tensors themselves."""
_GIB = 2**30


class Need(NamedTuple):
    """What one process of a training holds at once, in bytes, its images apart."""

    weights: int
    """The weights, their gradients, and a copy of those of the best epoch."""
    optimizer: int
    """What the optimizer remembers of each weight."""
    activations: int
    """What the forward pass of a batch saves for the backward pass. At its end, memory is at its peak."""

    @property
    def total(self) -> int:
        """All of it with the margin."""
        return math.ceil(MARGIN * sum(self))

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {size / _GIB:.2g}" for name, size in self._asdict().items())
        return f"{self.total / _GIB:.2g} GiB ({parts}, and a tenth more)"


def needed(info: ModelInfo, objects: int, device: torch.device) -> Need:
    """The memory of a training that takes `objects` in one step of one process on `device`.

    Nothing is computed: the network and its batch are fake tensors, which have shapes and types alone.
    """
    with FakeTensorMode():
        net = build(info).train()
        size = sum(parameter.nbytes for parameter in net.parameters())
        own = {parameter.untyped_storage()._cdata for parameter in net.parameters()}
        saved: dict[int, torch.UntypedStorage] = {}  # kept, so that no other tensor gets the same place

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            saved[storage._cdata] = storage
            return tensor

        batch = _batch(info, objects)
        half = in_bfloat16(device, info.train["precision"])
        with torch.autocast("cpu", torch.bfloat16, enabled=half), saved_tensors_hooks(pack, lambda tensor: tensor):
            net(
                *batch, patterns=info.trained_inputs, alpha=0.1, beta=0.1, pair_weight=0.1, nll_weight=0.1, reversal=1.0
            )
        activations = sum(storage.nbytes() for place, storage in saved.items() if place not in own)
    moments = int(info.train["momentum"] > 0) if info.train["optimizer"] == "sgd" else 2
    return Need(3 * size, moments * size, activations)


def _batch(info: ModelInfo, objects: int) -> tuple[torch.Tensor | None, ...]:
    """What a network is called with: X_mag, X_colour, image, target, extinction."""
    x_mag = x_colour = image = None
    if info.sees_photometry:
        x_mag = torch.zeros(objects, len(BANDS), TOKEN)
        x_colour = torch.zeros(objects, info.colour_count)
    if info.sees_images:
        shape = (objects, len(BANDS), backbones.IMAGE_SIZE, backbones.IMAGE_SIZE)
        image = torch.zeros(shape).contiguous(memory_format=torch.channels_last)
    target = torch.zeros(objects, dtype=torch.int64 if info.classes else torch.float32)
    return x_mag, x_colour, image, target, torch.zeros(objects, len(BANDS))


def image_bytes(info: ModelInfo, device: torch.device) -> float:
    """Bytes of saved activations that one more object adds to a batch."""
    small, large = (needed(info, objects, device).activations for objects in (128, 256))
    return (large - small) / 128


def free(device: torch.device) -> int:
    """Bytes that are free on a card; of a processor all that the machine has, as what others hold changes all the time."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def require(info: ModelInfo, device: torch.device, processes: int = 1) -> int:
    """The bytes that a training needs beside its images, which take what remains.

    Raises
    ------
    CrosszError
        It needs more than is free.
    """
    if device.type == "cpu" and info.crossmodal["backbone"] in APERTURES:
        return 0  # less than torch itself; the measurement would take seconds of every job
    objects = math.ceil(info.train["batch_size"] / processes)
    need, there = needed(info, objects, device), free(device)
    where = "the card has" if device.type == "cuda" else "this machine has"
    log.info(f"memory of the training: {need}; {where} {there / _GIB:.3g} GiB")
    if need.total > there:
        raise CrosszError(
            f"{_network(info)} needs {need}, and {where} {there / _GIB:.3g} GiB; {_remedy(info, need, there, device, processes)}"
        )
    return need.total


def _network(info: ModelInfo) -> str:
    block = info.crossmodal
    return f"crossmodal.backbone {block['backbone']} with stem {block['stem']} and train.batch_size {info.train['batch_size']}"


def _remedy(info: ModelInfo, need: Need, there: int, device: torch.device, processes: int) -> str:
    fixed = need.weights + need.optimizer
    a_object = need.activations * processes / info.train["batch_size"]
    most = (
        math.floor((there / MARGIN - fixed) / a_object) - 1
    ) * processes  # a part of the activations is of no object
    ways = [f"set train.batch_size to {most} or less"] if most >= 2 * processes else []
    if info.crossmodal["stem"] == "small" and info.crossmodal["backbone"] not in APERTURES:
        published = info.with_fields(crossmodal=info.crossmodal | {"stem": "imagenet"})
        less = needed(published, math.ceil(info.train["batch_size"] / processes), device)
        ways.append(f"set crossmodal.stem: imagenet, which needs {less.total / _GIB:.2g} GiB")
    return ", or ".join(ways or ["take a smaller crossmodal.backbone"])


def forecast(*, networks: Mapping[str, Mapping[str, Any]], classes: Sequence[str] = ()) -> dict[str, Need]:
    """Log and return the memory of the training of each of `networks` on a card; what the networks read need not exist yet.

    Parameters
    ----------
    networks
        By name: its blocks crossmodal, train and photometry.
    classes
        The classes to tell apart; none for redshifts.
    """
    card, found = torch.device("cuda"), {}
    for name, blocks in networks.items():
        info = ModelInfo(
            crossmodal=dict(blocks["crossmodal"]),
            train=dict(blocks["train"]),
            magnitudes=blocks["photometry"]["magnitudes"],
            features=blocks["photometry"]["features"],
            columns=tuple(blocks["photometry"]["columns"]),
            classes=tuple(classes),
            seed=0,
            n={},
            scalers={},
        )
        found[name] = needed(info, info.train["batch_size"], card)
        log.info(f"{name}: {_network(info)} needs {found[name]} on a card")
    log.info(
        f"100,000 images are {1e5 * IMAGE_BYTES / _GIB:.1f} GiB: they stay on the card where they fit, and are read batch by batch elsewhere"
    )
    if torch.cuda.is_available():
        log.info(f"free on the card of this machine: {free(card) / _GIB:.1f} GiB")
    return found
