"""The loop of a training, ready for a card that is not here: no wait for the device, one shape, few kernels, images read ahead."""

import threading
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import toy
from torch.utils._python_dispatch import TorchDispatchMode
from toy import CROSSMODAL, TRAIN

from crossz.core.constants import BANDS
from crossz.models import data, device, inference, training
from crossz.models.backbones import IMAGE_SIZE
from crossz.models.data import Inputs, Part
from crossz.models.info import ModelInfo

META = torch.device("meta")


def info_of(crossmodal=None, classes=(), **train):
    settings = CROSSMODAL | (crossmodal or {}), TRAIN | train
    return ModelInfo(*settings, "dered_model", seed=1, n={}, scalers={}, classes=classes)


def part_of(count, where, classes=()):
    """`count` objects with noise for everything, resident on the device `where`."""
    rng = torch.Generator().manual_seed(4)
    images = torch.randn(count, len(BANDS), IMAGE_SIZE, IMAGE_SIZE, generator=rng).half()
    images = images.contiguous(memory_format=torch.channels_last).to(where)
    x_mag, x_colour, target, extinction = (
        torch.randn(count, *shape, generator=rng).to(where) for shape in ((5, 3), (4,), (), (5,))
    )
    if classes:
        target = torch.arange(count).remainder(len(classes)).to(where)
    inputs = Inputs(x_mag, x_colour, lambda positions: images[positions])
    return Part(np.arange(count), np.ones(count), inputs, target, extinction)


def network(info, where):
    torch.manual_seed(2)
    return device.on_device(inference.build(info), where)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"crossmodal": {"backbone": "resnet18", "stem": "imagenet", "pair_weight": 0.1}},
        {"crossmodal": {"backbone": "vit_b_16", "stem": "small", "head": "point"}},
        {"crossmodal": {"z_patterns": "phot"}, "optimizer": "sgd"},
        {"crossmodal": {"z_patterns": "img"}, "schedule": "plateau", "gradient_clip": None, "augment": False},
        {"classes": ("STAR", "GALAXY", "QSO")},
    ],
)
def test_an_epoch_waits_for_the_device_at_its_end_alone(settings, monkeypatch):
    """A meta tensor has no value: whoever asks for one, as .item() or a mask of rows does, fails."""
    info = info_of(**settings)
    net = network(info, META)
    optimizer = torch.optim.AdamW(net.parameters())  # of fused ones there is none on this device
    part = part_of(70, META, info.classes)
    with pytest.raises(RuntimeError, match="meta"):
        training.train_epoch(net, optimizer, part, info, 0)
    monkeypatch.setattr(training, "float", lambda value: value, raising=False)
    losses = training.train_epoch(net, optimizer, part, info, 0)
    assert {value.device.type for value in losses.values()} == {"meta"}
    assert {"loss"} < set(losses)


def test_a_loss_that_waits_for_the_device_is_found(monkeypatch):
    monkeypatch.setattr(training, "float", lambda value: value, raising=False)
    info = info_of()
    net = network(info, META)
    forward = net.forward

    def waits(*arguments, **settings):
        terms = forward(*arguments, **settings)
        terms["loss"].item()
        return terms

    net.forward = waits
    with pytest.raises(RuntimeError, match="meta"):
        training.train_epoch(net, torch.optim.AdamW(net.parameters()), part_of(70, META), info, 0)


class Kernels(TorchDispatchMode):
    # What is computed, views and sizes apart: on a card each is a kernel that is launched, or more.
    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if not func.is_view and func is not torch.ops.aten.detach.default:
            self.count[str(func)] += 1
        return found


@pytest.mark.parametrize(("backbone", "budget"), [("growth", 850), ("small", 750), ("resnet101", 1750)])
def test_a_step_launches_few_kernels_whatever_its_batch(backbone, budget, monkeypatch):
    """Forward and backward; what clips the gradient and the optimizer are few, below."""
    monkeypatch.setattr(training, "float", lambda value: value, raising=False)
    found, info = [], info_of({"backbone": backbone, "stem": "imagenet"}, gradient_clip=None)
    net = network(info, META)
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    monkeypatch.setattr(optimizer, "step", lambda: None)
    for steps, size in ((1, 64), (2, 64), (2, 32)):
        sized = info.with_fields(train=info.train | {"batch_size": size})
        with Kernels() as seen:
            training.train_epoch(net, optimizer, part_of(steps * size, META), sized, 0)
        found.append(seen.count)
    step = found[1] - found[0]
    assert found[2] == found[1]
    assert step.total() < budget


@pytest.mark.parametrize("count", [64, 65, 127, 129])
def test_batches_of_one_shape_leave_out_less_than_one_object_each(count):
    torch.manual_seed(0)
    batches = training._batches(count, 32, one_shape=True)
    assert len({len(batch) for batch in batches}) == 1
    assert len(batches[0]) <= 32
    seen = torch.cat(batches)
    assert len(seen.unique()) == len(seen)
    assert count - len(batches) < len(seen) <= count
    assert (
        not torch.equal(torch.cat(training._batches(count, 32, one_shape=True)).sort().values, seen.sort().values)
        or len(seen) == count
    )
    every = training._batches(count, 32, one_shape=False)
    assert sorted(torch.cat(every).tolist()) == list(range(count))


def test_a_card_and_a_compiled_network_see_one_shape(monkeypatch):
    monkeypatch.setattr(training, "float", lambda value: value, raising=False)
    cpu = torch.device("cpu")
    for where, compiled, one in ((META, False, True), (cpu, True, True), (cpu, False, False)):
        info, shapes = info_of({"z_patterns": "phot"}, compile=compiled), set()
        net = network(info, where)
        net.encode_phot.register_forward_pre_hook(lambda _, arguments, shapes=shapes: shapes.add(arguments[0].shape))
        training.train_epoch(net, torch.optim.AdamW(net.parameters()), part_of(131, where), info, 0)
        assert (len(shapes) == 1) is one, where


def test_an_epoch_and_its_validation_compile_the_backbone_once(tmp_path, monkeypatch):
    """With errors on recompilation, and 212 objects that do not divide into batches."""
    survey = toy.write(tmp_path / "toy")
    graphs = []

    def compiled(net):
        def backend(graph, inputs):
            graphs.append(graph)
            from torch._dynamo.backends.debugging import aot_eager

            return aot_eager(graph, inputs)

        net.compile(backend=backend, dynamic=False)

    monkeypatch.setattr(training, "compile_once", compiled)
    torch._dynamo.reset()
    with torch._dynamo.config.patch(error_on_recompile=True):
        training.train(**toy.arguments(survey, tmp_path, training=TRAIN | {"epochs": 2, "compile": True}))
    assert len(graphs) == 1


def test_code_is_compiled_for_one_shape(monkeypatch):
    monkeypatch.setattr(device.shutil, "which", lambda _: "g++")
    asked = {}
    net = torch.nn.Linear(2, 2)
    net.compile = lambda **options: asked.update(options)
    device.compile_once(net)
    assert asked == {"dynamic": False}


def turned_piece_by_piece(image, generator):
    """Augmentation as it was first written: a flip and a transposition of each quarter of the batch."""
    parts, quarter = [], -(-len(image) // 4)
    for begin in range(0, len(image), quarter):
        turns, flip = torch.randint(4, (2,), generator=generator).tolist()
        part = torch.rot90(image[begin : begin + quarter], 0, (2, 3))
        part = part.transpose(2, 3) if turns % 2 else part
        parts.append(part.flip([2] * (turns in (1, 2)) + [3] * ((turns in (2, 3)) != flip % 2)))
    return torch.cat(parts)


@pytest.mark.parametrize("count", [1, 2, 5, 9, 64])
def test_augmentation_is_one_gather_that_keeps_the_bands_together(count):
    image = torch.randn(count, 5, 8, 8).contiguous(memory_format=torch.channels_last)
    for seed in range(6):
        one, other = (torch.Generator().manual_seed(seed) for _ in range(2))
        with Kernels() as seen:
            found = data.augmented(image, generator=one)
        assert torch.equal(found, turned_piece_by_piece(image, other))
        assert torch.equal(one.get_state(), other.get_state())
        assert found.is_contiguous(memory_format=torch.channels_last)
    assert seen.count["aten.index_select.default"] == 1
    assert not [name for name in seen.count if "cat" in name or "flip" in name or "copy" in name]


def test_images_that_are_not_resident_are_read_one_batch_ahead_by_another_thread():
    read, asked = [], []
    arrived = [threading.Event() for _ in range(4)]

    def fetch(positions):
        asked.append((positions.tolist(), threading.get_ident()))
        arrived[positions[0] // 2].set()
        read.append(positions.tolist())
        return positions.float()

    batches = list(torch.arange(8).split(2))
    inputs = Inputs(torch.zeros(8, 5, 3), torch.zeros(8, 4), fetch, resident=False)
    for number, seen in enumerate(data.ahead(inputs, batches)):
        if number < 3:
            assert arrived[number + 1].wait(60)  # the next batch comes while this one is in use
        assert len(read) <= number + 2  # and no other
        assert seen.fetch(batches[number]).tolist() == batches[number].tolist()
        assert seen.x_mag is inputs.x_mag
    assert read == [batch.tolist() for batch in batches]
    assert threading.get_ident() not in {thread for _, thread in asked}


def test_resident_images_need_no_other_thread():
    inputs = Inputs(torch.zeros(8, 5, 3), torch.zeros(8, 4), lambda positions: positions)
    assert all(seen is inputs for seen in data.ahead(inputs, list(torch.arange(8).split(2))))


def test_an_image_that_cannot_be_read_ends_the_epoch_with_its_error():
    def fetch(positions):
        raise OSError("a bad disk")

    part = part_of(40, torch.device("cpu"))
    part = part._replace(inputs=part.inputs._replace(fetch=fetch, resident=False))
    net = network(info_of(), torch.device("cpu"))
    before = threading.active_count()
    with pytest.raises(OSError, match="a bad disk"):
        training.train_epoch(net, torch.optim.AdamW(net.parameters()), part, info_of(), 0)
    assert threading.active_count() == before


def test_checkpoints_take_two_hundredths_of_the_time_at_most(monkeypatch):
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 20.0)
    assert training._pause(0.1) == 20
    for seconds in (1.0, 30.0):
        pause = training._pause(seconds)
        assert seconds / (seconds + pause) <= 0.02
        assert pause < 51 * seconds


def test_a_checkpoint_that_took_long_comes_later(tmp_path, monkeypatch):
    """A clock of ours: an epoch takes 30 s, a checkpoint 6 s. So every tenth epoch has one, not each."""
    now, written = [0.0], []
    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    epoch = training.train_epoch

    def slow_epoch(*arguments):
        now[0] += 30
        return epoch(*arguments)

    def slow_checkpoint(self, members, running):
        now[0] += 6
        written.append(running["state"]["epoch"])

    monkeypatch.setattr(training, "train_epoch", slow_epoch)
    monkeypatch.setattr(training.Checkpoint, "write", slow_checkpoint)
    survey = toy.write(tmp_path / "toy", n=40)
    training.train(**toy.arguments(survey, tmp_path, training=TRAIN | {"epochs": 24}))
    assert written == [1, 12, 23]


@pytest.mark.parametrize("exact", [True, False])
def test_a_training_on_a_card_is_exact_or_fast(exact, monkeypatch):
    said = {}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(torch, "use_deterministic_algorithms", lambda mode, warn_only: said.update(mode=mode))
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace())
    device.deterministic(1, exact)
    assert said == {"mode": exact}
    assert torch.backends.cudnn.benchmark is not exact


def test_the_setting_says_so(tmp_path, monkeypatch):
    class Asked(Exception):
        pass

    def deterministic(threads, exact):
        raise Asked(exact)

    monkeypatch.setattr(training, "deterministic", deterministic)
    for setting in (True, False):
        with pytest.raises(Asked, match=str(setting)):
            training.train(
                **toy.arguments(toy.Survey("a", "b", "c", []), tmp_path, training=TRAIN | {"deterministic": setting})
            )


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_the_optimizer_is_one_kernel_and_clipping_a_few_for_each_weight(kind):
    net = network(info_of(), torch.device("cpu"))
    optimizer = training._optimizer(net, TRAIN | {"optimizer": kind})
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    with Kernels() as seen:
        optimizer.step()
    assert [name for name in seen.count if name.startswith("aten._fused")]
    assert sum(n for name, n in seen.count.items() if name.startswith("aten.")) <= 2
    with Kernels() as seen:
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    assert seen.count.total() < 12
