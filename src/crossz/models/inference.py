"""Training and evaluation of the cross-modal network: one loop, validation-chosen checkpoint, resume after a kill.

Imports only torch, numpy, pandas and pyarrow: it runs on a GPU machine that has nothing else.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from crossz.core.errors import CrosszError
from crossz.core.files import read_json, sha256
from crossz.estimates import classes, pdf
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import dz
from crossz.models import distributed
from crossz.models import features as ft
from crossz.models.crossmodal import ALONE, CrossModal, input_patterns, mixture
from crossz.models.data import Fetch, Part, inputs_of, redshift_of


class Estimate(NamedTuple):
    """z_phot [n] of one input pattern and, of a mixture head, the PDFs in ln(1 + z); or the probabilities [n, c] of classes."""

    z_phot: np.ndarray | None
    pdf: Mixture | None
    probability: np.ndarray | None = None


def predict(nets: Sequence[CrossModal], part: Part, info: dict) -> dict[str, Estimate]:
    """The estimate of each input pattern for the rows of `part`, the mean of all networks.

    z_phot of a PDF is that of its mean in ln(1 + z).
    """
    members = [_predict_one(net, part, info) for net in nets]
    return {inputs: _mean([member[inputs] for member in members]) for inputs in members[0]}


def _mean(estimates: list[Estimate]) -> Estimate:
    if estimates[0].probability is not None:
        return Estimate(None, None, np.mean([estimate.probability for estimate in estimates], axis=0))
    if estimates[0].pdf is None:
        return Estimate(np.mean([estimate.z_phot for estimate in estimates], axis=0), None)
    found = pdf.ensemble([estimate.pdf for estimate in estimates])
    return Estimate(np.expm1(pdf.mean(found)), found)


@torch.no_grad()
def _predict_one(net: CrossModal, part: Part, info: dict) -> dict[str, Estimate]:
    net.eval()
    z_patterns = info["crossmodal"]["z_patterns"]
    device, found = part.target.device, {}
    chunks = distributed.count() * math.ceil(len(part.z) / 512 / distributed.count())
    chunks = torch.arange(len(part.z), device=device).tensor_split(chunks)
    for positions in chunks[distributed.number() :: distributed.count()]:
        with autocast(device, info["train"]["precision"]):
            chi = net.features(*inputs_of(part, positions, z_patterns))
            for inputs in input_patterns(z_patterns):
                head = net.z(chi, inputs).float()
                found.setdefault(inputs, head.new_zeros(len(part.z), head.shape[1]))[positions] = head
    return {inputs: _estimate(distributed.summed(heads).cpu(), info) for inputs, heads in found.items()}


def redshift_score(estimate: Estimate, z: np.ndarray) -> float:
    """What chooses the epoch: mean CRPS of PDFs, which a few outliers do not rule as they do an RMSE; RMSE of dz of points.

    Of classes the log loss.
    """
    if estimate.probability is not None:
        return classes.log_loss(estimate.probability, z)
    if estimate.pdf is None:
        return error_of(estimate, z)
    return float(pdf.crps(estimate.pdf, np.log1p(z)).mean())


def error_of(estimate: Estimate, z: np.ndarray) -> float:
    """RMSE of dz; of classes the share of wrong ones."""
    if estimate.probability is not None:
        return float(np.mean(estimate.probability.argmax(1) != z))
    return float(np.sqrt(np.mean(dz(estimate.z_phot, z) ** 2)))


def temperatures(found: dict[str, Estimate], z: np.ndarray) -> dict[str, float]:
    """What recalibrates the PDFs or probabilities of each input pattern, from those of the validation part."""
    fitted = {}
    for inputs, estimate in found.items():
        if estimate.probability is not None:
            fitted[inputs] = classes.fit_temperature(estimate.probability, z)
        elif estimate.pdf is not None:
            fitted[inputs] = pdf.fit_temperature(estimate.pdf, np.log1p(z))
    return fitted


def _estimate(head: torch.Tensor, info: dict) -> Estimate:
    if "classes" in info:
        return Estimate(None, None, head.double().softmax(1).numpy())
    scale, kind = info["scalers"]["z"], info["crossmodal"]["target"]
    if head.shape[1] == 1:
        point = head.squeeze(1).numpy().astype(float) * scale["width"] + scale["centre"]
        return Estimate(redshift_of(point, kind), None)
    weight, mean, sigma = (part.numpy().astype(float) for part in mixture(head))
    found = Mixture(weight, mean * scale["width"] + scale["centre"], sigma * scale["width"])
    return Estimate(redshift_of(pdf.mean(found), kind), found)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Compute in `precision`: auto is bfloat16 where it pays, on the GPU, and float32 elsewhere."""
    wanted = device.type == "cuda" if precision == "auto" else precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def build(crossmodal: dict, columns: Sequence[str] = (), classes: Sequence[str] = ()) -> CrossModal:
    """The network that the configuration's block `crossmodal` describes, with extra `columns` of the catalog, of `classes`."""
    settings = {key: crossmodal[key] for key in ("backbone", "stem", "attention", "attention_layers", "dropout")}
    components = crossmodal["components"] if crossmodal["head"] == "mixture" else 0
    return CrossModal(**settings, components=components, extra_columns=len(columns), classes=len(classes))


def load_networks(model_path: str | Path, info_path: str | Path, device: torch.device) -> tuple[list[CrossModal], dict]:
    """The networks of one split, ready to predict, and what model.json says of them.

    Raises CrosszError when the weights are not those that `info_path` was written with.
    """
    info = read_json(info_path)
    if sha256(model_path) != info["model_sha256"]:
        raise CrosszError(f"{model_path}: its checksum is not the one in {info_path}; delete both and train again")
    nets = []
    for weights in torch.load(model_path, map_location="cpu", weights_only=True):
        net = build(info["crossmodal"], info.get("columns", ()), info.get("classes", ()))
        net.load_state_dict(weights)
        nets.append(net.to(device, memory_format=torch.channels_last).eval())
    return nets, info


def recalibrated(estimate: Estimate, inputs: str, info: dict) -> Estimate:
    """The estimate with its PDFs at the temperature that the validation part chose; z_phot stays."""
    if estimate.probability is not None:
        return estimate._replace(
            probability=classes.temperature_scaled(estimate.probability, info["temperature"][inputs])
        )
    if estimate.pdf is None:
        return estimate
    return estimate._replace(pdf=pdf.temperature_scaled(estimate.pdf, info["temperature"][inputs]))


@torch.no_grad()
def predict_new(
    nets: Sequence[CrossModal], info: dict, phot: ft.Photometry, fetch: Fetch | None, has_image: np.ndarray
) -> tuple[np.ndarray, Estimate]:
    """(inputs [n], estimate) of n new objects by the networks of one split, each from what there is of it; recalibrated.

    fetch: stretched images of positions 0..n-1 (`image_source`), asked for where `has_image` [n]. inputs: phot+img; phot+img_gen or
    phot_gen+img where the other is missing, "" where both are and the estimate means nothing; phot or img of a network of one modality.
    """
    has_phot, scalers, device = ~phot.missing.all(1), info["scalers"], next(nets[0].parameters()).device
    kind = info["crossmodal"]["z_patterns"]
    if kind in ALONE:
        inputs = np.where(has_phot if kind == "phot" else has_image, kind, "")
    else:
        both = [has_phot & has_image, has_phot, has_image]
        inputs = np.select(both, ["phot+img", "phot+img_gen", "phot_gen+img"], "")
    x_mag, x_colour = (
        torch.from_numpy(ft.apply_scaler(scalers[name], values)).to(device)
        for name, values in zip(("x_mag", "x_colour"), ft.tokens(phot), strict=True)
    )
    found = {}
    for pattern in np.unique(inputs[inputs != ""]).tolist():
        here = np.flatnonzero(inputs == pattern)
        heads: list[list[torch.Tensor]] = [[] for _ in nets]
        for positions in np.array_split(here, math.ceil(len(here) / 512)):
            given = (None, None) if pattern == "img" else (x_mag[positions], x_colour[positions])
            image = fetch(positions).float() if pattern.endswith("img") else None
            with autocast(device, info["train"]["precision"]):
                for net, parts in zip(nets, heads, strict=True):
                    chi = net.features_of_photometry(*given) if image is None else net.features(*given, image)
                    parts.append(net.z(chi, pattern).float().cpu())
        members = [_estimate(torch.cat(parts), info) for parts in heads]
        found[pattern] = here, recalibrated(_mean(members), pattern, info)
    return inputs, _scattered(found.values(), len(inputs), len(nets), info)


def _scattered(found: Iterable[tuple[np.ndarray, Estimate]], count: int, members: int, info: dict) -> Estimate:
    """Estimates of (positions, their estimates) as one of `count` objects; elsewhere NaN, and the PDF of a unit Gaussian."""
    whole = Estimate(np.full(count, np.nan), None)
    if "classes" in info:
        whole = Estimate(None, None, np.full((count, len(info["classes"])), np.nan))
    elif info["crossmodal"]["head"] == "mixture":
        shape = (count, info["crossmodal"]["components"] * members)
        whole = whole._replace(pdf=Mixture(np.full(shape, 1 / shape[1]), np.zeros(shape), np.ones(shape)))
    for here, estimate in found:
        pairs = [(whole.z_phot, estimate.z_phot), (whole.probability, estimate.probability)]
        pairs += [] if whole.pdf is None else zip(whole.pdf, estimate.pdf, strict=True)
        for array, part in pairs:
            if array is not None:
                array[here] = part
    return whole
