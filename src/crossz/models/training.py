"""Training of the cross-modal network: one loop, the epoch chosen on the validation part, going on after a kill.

Imports only torch, numpy, pandas and pyarrow: it runs on a GPU machine that has nothing else.
"""

import copy
import hashlib
import io
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, sha256
from crossz.core.names import ALONE
from crossz.estimates import classes as labels
from crossz.images.store import ImageStore
from crossz.models import distributed, memory
from crossz.models.also import Kind, beside, load_also, orders
from crossz.models.checkpoint import Checkpoint, fingerprint
from crossz.models.data import Part, ahead, augmented, fit_scalers, load_part
from crossz.models.device import choose_device, compile_once, deterministic, on_device, uncompiled
from crossz.models.inference import Networks, autocast, build, network_inputs, raw_estimate
from crossz.models.info import ModelInfo
from crossz.models.progress import Progress
from crossz.models.rows import load_rows, subsample
from crossz.models.schedule import cosine, reversal
from crossz.models.start import Weights, begin_from
from crossz.models.start import read as read_start

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 20.0
"""A checkpoint is written at the end of an epoch when the last one is older than this."""
CHECKPOINT_SHARE = 0.02
"""Largest share of the time that checkpoints take: after one that took long, the next one comes later."""


class Data(NamedTuple):
    """The training and validation part of a split, and what else goes into a training."""

    train: Part
    val: Part
    also: tuple[Kind, ...] = ()
    """Rows that train beside the training part."""
    start: tuple[Weights, ...] = ()
    """What the networks start from, in turn; none: random weights."""


@dataclass(frozen=True)
class Interruptions:
    """How a training of one network is ended: `stop` asks for it, `keep` takes what a later run needs to go on."""

    keep: Callable[[dict[str, Any]], None]
    stop: Callable[[], bool]


@torch.random.fork_rng()  # PyTorch's layers know only its global generator: seeded in here, as it was outside
def train(
    *,
    catalog: str | Path,
    split: str | Path,
    index: str | Path,
    cutouts: Sequence[str | Path],
    model: str | Path,
    info: str | Path,
    history: str | Path,
    checkpoint: str | Path,
    crossmodal: Mapping[str, Any],
    training: Mapping[str, Any],
    photometry: Mapping[str, Any],
    classes: Sequence[str] = (),
    seed: int,
    code: str,
    also: Sequence[str | Path] = (),
    start: Sequence[str | Path] = (),
    threads: int = 1,
    processes: int = 1,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train the networks of one split; write their weights, their description, and the history of the training.

    A run that was killed goes on from `checkpoint` and gives the same bytes as one that was not. Test rows are never
    looked at. Of `training["members"]` networks from different random starts the estimates are averaged, and
    recalibrated together on the validation part.

    Parameters
    ----------
    catalog, split, index, cutouts
        The rows, their subsets, and their images (`models.rows.load_rows`).
    model, info, history
        What is written: weights, `ModelInfo`, and a CSV of one row an epoch.
    checkpoint
        Where a run that is ended leaves what the next one goes on from.
    crossmodal, training, photometry
        The blocks `crossmodal`, `train` and `photometry` of the configuration.
    classes
        The classes to tell apart; none for redshifts.
    seed
        Seed of all random numbers.
    code
        Digest of the code: a checkpoint of other code is left aside.
    also
        Rows that train beside the training part (`also.load_also`).
    start
        Only the file of the weights to start from (`start.read`); none: random ones.
    threads
        Threads of the processor, divided among `processes`.
    processes
        Number of processes, each on one GPU. Each one trains on a share of every batch. The result is that of one process,
        except for rounding and dropout.
    stop
        Asked after every epoch whether to write a checkpoint and end with an error.

    Raises
    ------
    CrosszError
        The training diverged, was asked to stop, needs more memory than there is, or a class has no object in a part.
    """
    if processes > 1:
        settings = {name: value for name, value in locals().items() if name not in ("processes", "stop")}
        settings |= {
            "cutouts": list(cutouts),
            "also": list(also),
            "start": list(start),
            "threads": max(1, threads // processes),
        }
        return distributed.run(processes, train, settings, stop)
    deterministic(threads, training["deterministic"])
    store, device = ImageStore(index, cutouts), choose_device()
    rows = load_rows(catalog, split, store)
    description = _describe(rows, crossmodal, training, photometry, classes, seed)
    reserve = memory.require(description, device, distributed.count())
    train_rows = subsample(rows[rows["subset"] == "train"], training["share"])
    description = description.with_fields(
        n=description.n | {"train": len(train_rows)}, scalers=fit_scalers(train_rows, store, description)
    )
    parts = (train_rows, rows[rows["subset"] == "val"])
    trained, val = (load_part(part, store, description, device, reserve) for part in parts)
    for name, part in (("train", trained), ("val", val)) if classes else ():
        labels.require_all(part.truth, classes, f"{split}, part {name}")
    kinds = load_also(also, rows, store, description, device)
    if also:
        description = description.with_fields(n=description.n | {"also": sum(len(kind.part.truth) for kind in kinds)})
    data = Data(trained, val, kinds, tuple(weights for path in start for weights in read_start(path)))
    seen = (trained, val, *(kind.part for kind in kinds))
    kept = Checkpoint(Path(checkpoint), fingerprint(description, code, seen, [*cutouts, *start]))
    members = _train_members(data, description, kept, stop)
    description = _recalibrate(members, data.val, description)
    # Known only now: a checkpoint goes on with any number of processes, on any device.
    description = description.with_fields(processes=distributed.count(), device=device.type)
    if distributed.number() == 0:
        _write(members, description, model, info, history)
        kept.path.unlink(missing_ok=True)
    return None


def _describe(
    rows: pd.DataFrame,
    crossmodal: Mapping[str, Any],
    training: Mapping[str, Any],
    photometry: Mapping[str, Any],
    classes: Sequence[str],
    seed: int,
) -> ModelInfo:
    return ModelInfo(
        crossmodal=dict(crossmodal),
        train=dict(training),
        magnitudes=photometry["magnitudes"],
        features=photometry["features"],
        columns=tuple(photometry["columns"]),
        classes=tuple(classes),
        seed=seed,
        n={name: int((rows["subset"] == name).sum()) for name in ("train", "val", "test")},
        scalers={},
    )


def _train_members(data: Data, info: ModelInfo, checkpoint: Checkpoint, stop: Callable[[], bool]) -> list[dict]:
    """The trained networks one after the other, those of an earlier run among them."""
    point = checkpoint.read()
    members: list[dict[str, Any]] = [] if point is None else point["members"]
    running = None if point is None else point["running"]
    interruptions = Interruptions(lambda state: checkpoint.write(members, state), stop)
    while len(members) < info.train["members"]:
        member = train_member(len(members), data, info, interruptions, running)
        if member is None:
            distributed.wait()
            raise CrosszError(f"asked to stop; the next run goes on from {checkpoint.path}")
        members.append(member)
        running = None
    return members


def _recalibrate(members: list[dict[str, Any]], val: Part, info: ModelInfo) -> ModelInfo:
    """`info` with the temperature of each input pattern, fitted on the validation part, and what became of the members."""
    nets = [on_device(build(info), val.target.device) for _ in members]
    for net, member in zip(nets, members, strict=True):
        net.load_state_dict(member["weights"])
    estimates = raw_estimate(Networks(nets, info), val.inputs, info.inputs)
    fitted = {pattern: mean.fit_temperature(val.truth) for pattern, mean in estimates.items()}
    temperature = {pattern: value for pattern, value in fitted.items() if value is not None}
    return info.with_fields(temperature=temperature or None, members=tuple(map(_outcome, members)))


def _outcome(member: Mapping[str, Any]) -> dict[str, Any]:
    kept = member["history"][member["best_epoch"]]
    found = {"best_epoch": member["best_epoch"], "best_score": member["best"], "epochs_run": member["epoch"]}
    return found | ({"discriminator_accuracy": kept["accuracy"]} if "accuracy" in kept else {})


def _write(
    members: list[dict[str, Any]], description: ModelInfo, model: str | Path, info: str | Path, history: str | Path
) -> None:
    weights = io.BytesIO()  # torch.save writes a file's name into it, and a temporary name differs from run to run
    torch.save([{name: value.cpu() for name, value in member["weights"].items()} for member in members], weights)
    with atomic_path(model) as temporary:
        temporary.write_bytes(weights.getvalue())
    with atomic_path(history) as temporary:
        rows = [{"member": number} | row for number, member in enumerate(members) for row in member["history"]]
        pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.8g")
    description.with_fields(model_sha256=sha256(model)).write(info)


def train_member(
    number: int, data: Data, info: ModelInfo, interruptions: Interruptions, point: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Train one network, from `point` where an earlier run left one.

    The best epoch is that of the smallest score of the validation part (`Estimate.score`), mean over the trained patterns.

    Returns
    -------
    dict or None
        epoch (how many were run), best (score), best_epoch, weights (of that epoch) and history. None when `stop` said so in
        any process; then what a later run needs has been kept.

    Raises
    ------
    CrosszError
        The training diverged.
    """
    device, settings = data.train.target.device, info.train
    torch.manual_seed(_seed(info.seed, data.train.objID, number, -1))
    net = build(info)
    if data.start:
        begin_from(net, data.start[number % len(data.start)])
    net = distributed.synchronised(on_device(net, device))
    if settings["compile"]:
        compile_once(net.encode_img.cnn)
    trained = distributed.parallel(net, part_unused=info.z_patterns in ALONE)
    optimizer = _optimizer(net, settings)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=settings["patience"] // 3)
    state: dict[str, Any] = {"epoch": 0, "best": math.inf, "best_epoch": 0, "weights": {}, "history": []}
    if point is not None:
        state = point["state"]
        for name, part in (("net", net), ("optimizer", optimizer), ("plateau", plateau)):
            part.load_state_dict(point[name])
    progress = Progress(number, len(data.train.truth), state["epoch"], info)
    saved, pause = time.monotonic(), CHECKPOINT_SECONDS
    while state["epoch"] < settings["epochs"] and state["epoch"] - state["best_epoch"] <= settings["patience"]:
        # All random numbers of an epoch are seeded here, so that going on after a kill is exact.
        torch.manual_seed(_seed(info.seed, data.train.objID, number, state["epoch"]))
        losses = train_epoch(trained, optimizer, data.train, info, state["epoch"], data.also)
        with uncompiled(settings["compile"]):
            row = _validate(Networks([net], info), data.val, losses, state["epoch"])
        if settings["schedule"] == "plateau":
            plateau.step(row["score"])
        if row["score"] < state["best"]:
            state |= {"best": row["score"], "best_epoch": state["epoch"], "weights": copy.deepcopy(net.state_dict())}
        learning_rate = {"epoch": state["epoch"], "learning_rate": optimizer.param_groups[0]["lr"]}
        state["history"].append(learning_rate | row)
        state["epoch"] += 1
        ending = distributed.any_of(interruptions.stop(), device)
        if ending or time.monotonic() - saved > pause:
            begun = time.monotonic()
            parts: dict[str, Any] = {"net": net, "optimizer": optimizer, "plateau": plateau}
            interruptions.keep({"state": state} | {name: part.state_dict() for name, part in parts.items()})
            saved = time.monotonic()
            pause = _pause(saved - begun)
        if ending:
            return None
        progress.tell(state)
    return state


def _pause(seconds: float) -> float:
    """Seconds from the end of a checkpoint that took `seconds` to the next one."""
    return CHECKPOINT_SECONDS * max(1.0, seconds / (CHECKPOINT_SHARE * CHECKPOINT_SECONDS))


def _validate(networks: Networks, val: Part, losses: dict[str, float], epoch: int) -> dict[str, float]:
    """A row of the history: mean losses of an epoch, the score that chooses it, the error of each input pattern."""
    info = networks.info
    estimates = raw_estimate(networks, val.inputs, info.inputs)
    errors = {f"val {pattern}": estimate.error(val.truth) for pattern, estimate in estimates.items()}
    score = float(np.mean([estimates[name].score(val.truth) for name in info.trained_inputs]))
    if not np.isfinite([score, losses["loss"], *errors.values()]).all():
        raise CrosszError(f"training diverged in epoch {epoch}; lower train.learning_rate")
    return losses | {"score": score} | errors


def train_epoch(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    part: Part,
    info: ModelInfo,
    epoch: int,
    also: Sequence[Kind] = (),
) -> dict[str, float]:
    """One pass over the training part, and over the rows `also` beside it; mean losses. Random numbers come from torch's generator, seeded by the caller.

    Of several processes each takes its share of every batch. The order of objects and the turns of images are those of one
    process, dropout is each process's own. A process whose share of a small batch is empty takes part in the step, because
    the others wait for it. Nothing in a step waits for the device.
    """
    crossmodal, training, device, count = info.crossmodal, info.train, part.target.device, len(part.truth)
    patterns = info.trained_inputs
    net.train()
    order = _batches(count, training["batch_size"], one_shape=device.type != "cpu" or training["compile"])
    batches, seen = len(order), sum(map(len, order))
    also_orders = orders(also, batches)
    turns = torch.default_generator
    if distributed.count() > 1:
        turns = torch.Generator().set_state(torch.get_rng_state())
        torch.manual_seed(torch.initial_seed() + distributed.number())
    sums: dict[str, torch.Tensor] = {}
    shares = [distributed.share(len(objects)) for objects in order]
    reading = ahead(part.inputs, [objects[share] for objects, share in zip(order, shares, strict=True)])
    on_card = torch.cat(order).to(device).split([len(objects) for objects in order])
    for batch, (objects, share, read) in enumerate(zip(on_card, shares, reading, strict=True)):
        positions = objects[share]
        progress = (epoch + batch / batches) / training["epochs"]
        if training["schedule"] == "cosine":
            for group in optimizer.param_groups:
                group["lr"] = training["learning_rate"] * cosine(progress)
        turn = (
            partial(augmented, first=share.start, batch=len(objects), generator=turns) if training["augment"] else None
        )
        inputs = network_inputs(read, positions, info, info.inputs, turn)
        with autocast(device, training["precision"]):
            terms = net(
                *inputs,
                part.target[positions],
                part.extinction[positions],
                beside(also, [places[batch] for places in also_orders], info),
                patterns=patterns,
                alpha=crossmodal["alpha"],
                beta=crossmodal["beta"],
                pair_weight=crossmodal["pair_weight"],
                nll_weight=crossmodal["nll_weight"],
                reversal=reversal(crossmodal, progress),
            )
        optimizer.zero_grad(set_to_none=True)
        # Processes have the mean of their gradients: that of the batch, if each loss counts for its objects.
        (terms["loss"] * (len(positions) * distributed.count() / len(objects))).backward()
        if training["gradient_clip"] is not None:
            nn.utils.clip_grad_norm_(net.parameters(), training["gradient_clip"])
        optimizer.step()
        for name, value in terms.items():
            share_of_mean = (
                value.detach() * (len(positions) / seen) if len(positions) else 0.0
            )  # the mean of none is NaN
            sums[name] = sums.get(name, torch.zeros((), device=device)) + share_of_mean
    return {name: float(distributed.summed(value)) for name, value in sums.items()}


def _batches(count: int, batch_size: int, one_shape: bool) -> tuple[torch.Tensor, ...]:
    """A random order of `count` objects, as batches of at most `batch_size` positions and at least two: BatchNorm needs them.

    Their sizes differ by one at most. With `one_shape` they are equal: the few objects of the larger ones sit out this
    epoch, fewer than there are batches. On a card each shape costs a search for algorithms, or a compilation.
    """
    batches = max(1, min(math.ceil(count / batch_size), count // 2))
    order = torch.randperm(count)
    return (order[: count - count % batches] if one_shape else order).tensor_split(batches)


def _optimizer(net: nn.Module, training: Mapping[str, Any]) -> torch.optim.Optimizer:
    settings = {"lr": training["learning_rate"], "weight_decay": training["weight_decay"]}
    if training["optimizer"] == "sgd":
        return torch.optim.SGD(net.parameters(), momentum=training["momentum"], fused=True, **settings)
    return torch.optim.AdamW(net.parameters(), fused=True, **settings)


def _seed(seed: int, objID: np.ndarray, member: int, epoch: int) -> int:
    digest = hashlib.blake2b(objID.tobytes(), digest_size=7, key=f"{seed}:{member}:{epoch}".encode())
    return int.from_bytes(digest.digest(), "little")
