"""The networks of all splits together: of a run, or of a bundle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from crossz.apply.bundle_folder import FACTS, check
from crossz.apply.probe import apart, probe
from crossz.core.errors import CrosszError
from crossz.core.version import VERSION
from crossz.models.device import choose_device
from crossz.models.inference import Networks, build, load_networks
from crossz.models.info import ModelInfo

COMMON = ("crossmodal", "train", "magnitudes", "columns", "classes", "seed")
"""Of ModelInfo: what the splits of one network share."""
_TOLERANCE = 2e-3  # of ln(1 + z), between what a probe gets here and what it got where the bundle was made


@dataclass(frozen=True)
class Bundle:
    """The networks of all splits, whose estimates of new objects are averaged."""

    splits: tuple[Networks, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What bundle.json says; nothing of networks of a run."""


def trained_networks(models: Sequence[str | Path], infos: Sequence[str | Path]) -> Bundle:
    """The networks of a run, from model.pt and model.json of each split."""
    device = choose_device()
    return Bundle(tuple(load_networks(model, info, device) for model, info in zip(models, infos, strict=True)))


def load_bundle(folder: str | Path, device: torch.device | None = None) -> Bundle:
    """Read a bundle.

    Parameters
    ----------
    folder
        Its folder.
    device
        Where its networks compute; default: the GPU if there is one.

    Raises
    ------
    CrosszError
        `check` refuses the folder, the weights are no safetensors file or do not fit the network, or the networks answer
        their probe otherwise than when they were exported.
    """
    facts = check(folder)
    device = choose_device() if device is None else device
    splits = []
    for number, split in enumerate(facts["splits"]):
        path = Path(folder) / split["weights"]
        try:
            info = ModelInfo.from_json(
                {name: facts[name] for name in COMMON if name in facts} | split, Path(folder) / FACTS
            )
            networks = Networks(_members(path, info), info)
            answers, expected = probe(networks), facts["probe"][number]
            distance = max(apart(answers[inputs], expected[inputs]) for inputs in answers | expected)
        except CrosszError:
            raise
        except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
            raise CrosszError(f"{Path(folder) / FACTS}: incomplete ({error!r}); get the bundle again") from error
        if not distance <= _TOLERANCE:
            raise CrosszError(
                f"{path}: its networks answer otherwise than when they were exported "
                f"(by {distance:.2g} of ln(1 + z) or of a probability); crossz {facts['crossz']} and torch "
                f"{facts['made']['versions']['torch']} made the bundle, here are crossz {VERSION} and torch "
                f"{torch.__version__}: use the former"
            )
        members = [net.to(device, memory_format=torch.channels_last) for net in networks.members]
        splits.append(Networks(members, info))
    return Bundle(tuple(splits), facts)


def _members(path: Path, info: ModelInfo) -> list:
    try:
        weights = load_file(path)
        members = [build(info) for _ in info.members]
        for number, net in enumerate(members):
            begin = f"{number}."
            names = [name for name in weights if name.startswith(begin)]
            net.load_state_dict({name.removeprefix(begin): weights.pop(name) for name in names})
            net.eval()
    except (SafetensorError, ValueError, RuntimeError) as error:
        message = " ".join(str(error).split())
        raise CrosszError(
            f"{path}: not weights of the network that {FACTS} describes: {message[:300]}; get the bundle again"
        ) from error
    if weights:
        raise CrosszError(
            f"{path}: weights of more networks than {FACTS} names: {next(iter(weights))}; get the bundle again"
        )
    return members
