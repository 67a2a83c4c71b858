"""The one way from networks and what they read to estimates: of validation, test and new objects, and of a bundle's probe."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from crossz.core.errors import CrosszError
from crossz.core.files import sha256
from crossz.core.names import ALONE
from crossz.estimates.estimates import ClassProbabilities, Estimate, Pdf, Point, mean_of
from crossz.estimates.pdf import Mixture
from crossz.models import distributed
from crossz.models.crossmodal import CrossModal, mixture
from crossz.models.data import ROWS_AT_ONCE, Inputs, redshift_of
from crossz.models.device import on_device
from crossz.models.info import ModelInfo


class Networks(NamedTuple):
    """The networks of one split, which give one estimate together."""

    members: list[CrossModal]
    info: ModelInfo

    @property
    def device(self) -> torch.device:
        """Where the networks compute."""
        return next(self.members[0].parameters()).device


def build(info: ModelInfo) -> CrossModal:
    """A network as `info` describes it, with random weights."""
    block = info.crossmodal
    settings = {key: block[key] for key in ("backbone", "stem", "attention", "attention_layers", "dropout")}
    for layers in ("image_mlp_layers", "hidden_layers"):
        settings[layers] = block.get(layers, 1)  # older bundles know of one
    components = block["components"] if block["head"] == "mixture" else 0
    return CrossModal(**settings, components=components, colours=info.colour_count, classes=len(info.classes))


def for_estimates(net: CrossModal, info: ModelInfo) -> CrossModal:
    """`net` without what only a training needs, a third of its weights or more. It cannot be trained further."""
    unused = ["discriminate_phot", "discriminate_img", "extinction"]
    if info.z_patterns in ALONE:
        unused += ["decode_phot", "decode_img", "encode_img" if info.sees_photometry else "encode_phot"]
    for name in unused:
        setattr(net, name, nn.Identity())
    return net


def load_networks(model: str | Path, info: str | Path, device: torch.device) -> Networks:
    """The networks of one split, ready to estimate, from the files `model` (weights) and `info`.

    Raises
    ------
    CrosszError
        The weights are not those that `info` was written with.
    """
    description = ModelInfo.read(info)
    if sha256(model) != description.model_sha256:
        raise CrosszError(f"{model}: its checksum is not the one in {info}; delete both and train again")
    members = []
    for weights in torch.load(model, map_location="cpu", weights_only=True):
        net = build(description)
        net.load_state_dict(weights)
        members.append(on_device(net, device).eval())
    return Networks(members, description)


def estimate(
    networks: Networks, inputs: Inputs, patterns: Sequence[str], positions: torch.Tensor | None = None
) -> dict[str, Estimate]:
    """Estimates of each input pattern: the mean of all networks, recalibrated by the temperature of the validation part.

    Parameters
    ----------
    networks
        Of one split.
    inputs
        What they read of n objects.
    patterns
        Input patterns, each of them with all that it needs in `inputs`.
    positions
        [m] int64, of which of the n objects; default: all.

    Returns
    -------
    dict
        An estimate of m objects for each pattern.
    """
    means = raw_estimate(networks, inputs, patterns, positions)
    return {name: mean.recalibrated(networks.info.temperature_of(name)) for name, mean in means.items()}


@torch.no_grad()
def raw_estimate(
    networks: Networks, inputs: Inputs, patterns: Sequence[str], positions: torch.Tensor | None = None
) -> dict[str, Estimate]:
    """As `estimate`, before recalibration: what a temperature is fitted to. Each process computes a share of the objects."""
    nets, info = networks
    device = inputs.x_mag.device
    if positions is None:
        positions = torch.arange(len(inputs.x_mag), device=device)
    count = len(positions)
    for net in nets:
        net.eval()
    chunks = distributed.count() * math.ceil(count / ROWS_AT_ONCE / distributed.count())
    shares = torch.arange(count, device=device).tensor_split(max(1, chunks))
    heads: dict[tuple[int, str], torch.Tensor] = {}
    for rows in shares[distributed.number() :: distributed.count()]:
        with autocast(device, info.train["precision"]):
            seen = network_inputs(inputs, positions[rows], info, patterns)
            generates = info.sees_images and info.sees_photometry and seen[2] is None
            for number, net in enumerate(nets):
                chi = net.features(*seen, generate=generates)
                for pattern in patterns:
                    head = net.z(chi, pattern).float()
                    rows_of_all = heads.setdefault((number, pattern), head.new_zeros(count, head.shape[1]))
                    rows_of_all[rows] = head
    ready = {key: _estimate_of(distributed.summed(head).cpu(), info) for key, head in heads.items()}
    return {pattern: mean_of([ready[number, pattern] for number in range(len(nets))]) for pattern in patterns}


def network_inputs(
    inputs: Inputs,
    positions: torch.Tensor,
    info: ModelInfo,
    patterns: Sequence[str],
    turn: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
    """X_mag, X_colour and image (by `turn`, if given) of `positions` [b], None where none of `patterns` needs it."""
    x_mag = inputs.x_mag[positions] if info.sees_photometry else None
    x_colour = inputs.x_colour[positions] if info.sees_photometry else None
    image = None
    if info.sees_images and any(name.endswith("img") or "phot_gen" in name for name in patterns):
        if inputs.fetch is None:
            raise ValueError(f"{', '.join(patterns)}: there are no images to read")
        image = inputs.fetch(positions)
        image = (turn(image) if turn else image).float()  # half the bytes to turn
    return x_mag, x_colour, image


def no_estimate(networks: Networks) -> Estimate:
    """An estimate of no objects, of the kind that `networks` give."""
    info = networks.info
    components = info.crossmodal["components"] if info.crossmodal["head"] == "mixture" else 0
    head = torch.empty(0, len(info.classes) or 3 * components or 1)
    return mean_of([_estimate_of(head, info) for _ in networks.members])


def _estimate_of(head: torch.Tensor, info: ModelInfo) -> Estimate:
    """The estimate that the redshift head's output [n, ...] means."""
    if info.classes:
        return ClassProbabilities(head.double().softmax(1).numpy(), info.classes)
    scale = info.scalers["z"]
    if head.shape[1] == 1:
        target = head.squeeze(1).numpy().astype(float) * scale["width"] + scale["centre"]
        return Point(redshift_of(target, info.crossmodal["target"]))
    weight, mean, sigma = (part.numpy().astype(float) for part in mixture(head))
    return Pdf(Mixture(weight, mean * scale["width"] + scale["centre"], sigma * scale["width"]))


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Compute in `precision`: auto is bfloat16 where it pays, on a GPU, and float32 elsewhere."""
    kind = "cpu" if device.type == "meta" else device.type  # tensors without content have no autocast of their own
    return torch.autocast(kind, torch.bfloat16, enabled=in_bfloat16(device, precision))


def in_bfloat16(device: torch.device, precision: str) -> bool:
    """Whether `precision` means bfloat16 on `device`."""
    return device.type == "cuda" if precision == "auto" else precision == "bfloat16"
