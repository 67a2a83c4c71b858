"""The memory of a training: counted as a real pass counts it, the table's numbers, and a clear word where it does not fit."""

import json

import pytest
import torch
import toy
import yaml
from helpers import ROOT
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from toy import CROSSMODAL, TRAIN

from crossz.core.config import network
from crossz.core.errors import CrosszError
from crossz.models import data, inference, memory, training
from crossz.models.info import ModelInfo

CPU = torch.device("cpu")
RESULTS = [json.loads(path.read_text()) for path in sorted((ROOT / "benchmarks/results").glob("*.json"))]
(TABLE,) = [result["memory"]["rows"] for result in RESULTS if "memory" in result]
DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def info_of(crossmodal=None, **train):
    return ModelInfo(CROSSMODAL | (crossmodal or {}), TRAIN | train, "dered_model", seed=1, n={}, scalers={})


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['backbone']}-{row['stem']}")
def test_the_page_of_costs_has_the_measured_memory_of_each_backbone(row):
    block = DEFAULT["crossmodal"] | {"backbone": row["backbone"], "stem": row["stem"]}
    info = info_of(block, **DEFAULT["train"] | {"precision": "bfloat16"})
    assert memory.image_bytes(info, CPU) / 1e6 == pytest.approx(row["MB an image, bfloat16"], rel=0.02, abs=0.01)


@pytest.mark.parametrize("crossmodal", [{}, {"z_patterns": "phot"}, {"z_patterns": "img", "backbone": "resnet18"}])
def test_the_forecast_is_what_a_real_pass_saves(crossmodal):
    info, saved = info_of(crossmodal), {}

    def pack(tensor):
        saved[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    net = inference.build(info).train()
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        net(
            *memory._batch(info, 6),
            patterns=info.trained_inputs,
            alpha=0.1,
            beta=0.1,
            pair_weight=0.1,
            nll_weight=0.1,
            reversal=1.0,
        )
    own = {parameter.untyped_storage()._cdata for parameter in net.parameters()}
    expected = sum(storage.nbytes() for place, storage in saved.items() if place not in own)
    need = memory.needed(info, 6, CPU)
    assert need.activations == expected
    assert need.weights == 3 * sum(parameter.nbytes for parameter in net.parameters())


@pytest.mark.parametrize(
    ("train", "moments"), [({}, 2), ({"optimizer": "sgd"}, 1), ({"optimizer": "sgd", "momentum": 0.0}, 0)]
)
def test_what_an_optimizer_remembers_is_what_it_holds_after_a_step(train, moments):
    info = info_of(**train)
    need = memory.needed(info, 4, CPU)
    net = inference.build(info)
    optimizer = training._optimizer(net, info.train)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    held = [value for state in optimizer.state.values() for value in state.values() if torch.is_tensor(value)]
    assert need.optimizer == sum(value.nbytes for value in held if value.dim())
    assert need.optimizer == moments * need.weights / 3


def test_half_the_precision_is_almost_half_the_memory():
    full, half = (info_of({"backbone": "resnet18"}, precision=kind) for kind in ("float32", "bfloat16"))
    assert memory.image_bytes(half, CPU) / memory.image_bytes(full, CPU) == pytest.approx(0.5, abs=0.02)
    auto = info_of({"backbone": "resnet18"})
    card = torch.device("cuda")
    assert memory.needed(auto, 8, card) == memory.needed(half, 8, CPU)
    assert memory.needed(auto, 8, CPU) == memory.needed(full, 8, CPU)


@pytest.mark.parametrize("overlays", [("dr17",), ("dr17", "paper")])
def test_dr17_trains_within_a_card_of_40_gib_with_all_its_images(overlays, messages):
    config = dict(DEFAULT)
    for name in overlays:
        for block, values in yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()).items():
            config[block] = config[block] | values if isinstance(values, dict) else values
    need = memory.forecast(networks={"crossmodal": network(config, "crossmodal")})["crossmodal"]
    images = 465_292 * 0.8 * data.IMAGE_BYTES
    assert need.total + images < 40 * 2**30
    assert "resnet101 with stem imagenet and train.batch_size 1024 needs" in messages.text
    assert "100,000 images are 3.8 GiB" in messages.text


def test_a_training_that_does_not_fit_says_what_would(monkeypatch):
    monkeypatch.setattr(memory, "free", lambda device: 40 * 2**30)
    card, info = torch.device("cuda"), info_of({"backbone": "resnet101"}, batch_size=1024)
    with pytest.raises(
        CrosszError,
        match=r"crossmodal\.backbone resnet101 with stem small and train\.batch_size 1024 needs 83 GiB.*the card has 40 GiB; "
        r"set train\.batch_size to 4\d\d or less, or set crossmodal\.stem: imagenet, which needs 6\.6 GiB",
    ) as error:
        memory.require(info, card)
    most = int(str(error.value).split("batch_size to ")[1].split()[0])
    for size, fits in ((most, True), (most + 3, False)):
        assert (memory.needed(info, size, card).total <= 40 * 2**30) == fits
    assert memory.require(info, card, processes=4) == memory.needed(info, 256, card).total  # each has a share
    monkeypatch.setattr(memory, "free", lambda device: 2**20)
    with pytest.raises(CrosszError, match=r"the card has 0\.000977 GiB; take a smaller crossmodal\.backbone"):
        memory.require(info_of({"backbone": "resnet18", "stem": "imagenet"}), card)


def test_a_processor_is_asked_too_but_not_for_the_small_network(tmp_path, monkeypatch):
    survey = toy.write(tmp_path / "toy", n=40)
    monkeypatch.setattr(memory, "free", lambda device: 2**20)
    with pytest.raises(CrosszError, match=r"resnet18 .* this machine has"):
        training.train(**toy.arguments(survey, tmp_path, crossmodal=CROSSMODAL | {"backbone": "resnet18"}))
    training.train(**toy.arguments(survey, tmp_path, training=TRAIN | {"epochs": 1}))


def test_a_card_leaves_room_for_the_training_and_gives_images_the_rest(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10_000, 20_000))
    card = torch.device("cuda")
    assert data._room(card, None) == 5_000
    assert data._room(card, 3_000) == 7_000
    assert data._room(card, 12_000) < 0
    assert data._room(CPU, 3_000) == data.RESIDENT_BYTES


class Sizes(TorchDispatchMode):
    # Names of all operations, and the bytes of the storages that they make.
    def __init__(self):
        super().__init__()
        self.names, self.made = [], {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        self.names.append(str(func))
        for tensor in tree_leaves(found):
            if isinstance(tensor, torch.Tensor):
                self.made[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return found


def test_images_become_resident_in_place_a_bounded_chunk_at_a_time(tmp_path, monkeypatch):
    """An assignment by an index of rows would make a second copy of all of them on a card."""
    monkeypatch.setattr(data, "ROWS_AT_ONCE", 8)
    rng = torch.Generator().manual_seed(0)
    images = torch.randn(60, 5, 64, 64, generator=rng).half().numpy()

    class Pixels:
        def gather(self, rows):
            return images[rows], (rows[:, None, None] % 3 * torch.ones(1, 64, 64, dtype=torch.uint8).numpy()).astype(
                "uint8"
            )

    rows = torch.arange(60).numpy()
    rows[7] = -1
    with Sizes() as seen:
        fetch, resident = data.image_source(Pixels(), rows, [0.1, 0.2, 0.3, 0.4, 0.5], CPU)
    assert not [name for name in seen.names if "index" in name]
    sizes = sorted(seen.made.values())
    assert sizes[-1] == 59 * data.IMAGE_BYTES
    assert sizes[-2] <= 8 * 2 * data.IMAGE_BYTES  # a chunk in float32
    monkeypatch.setattr(data, "RESIDENT_BYTES", 0)
    other, read = data.image_source(Pixels(), rows, [0.1, 0.2, 0.3, 0.4, 0.5], CPU)
    some = torch.tensor([59, 0, 8, 31, 32])
    assert torch.equal(fetch(some), other(some))
    assert (resident, read) == (True, False)
