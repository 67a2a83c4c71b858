"""Training and evaluation of the cross-modal network: one loop, validation-chosen checkpoint, resume after a kill.

Imports only torch, numpy, pandas and pyarrow: it runs on a GPU machine that has nothing else.
"""

import copy
import hashlib
import io
import json
import logging
import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, sha256, write_json
from crossz.images.store import ImageStore, sampled_digest
from crossz.models import distributed
from crossz.models.crossmodal import ALONE, trained_patterns
from crossz.models.data import Part, augmented, fit_scalers, inputs_of, load_part
from crossz.models.device import choose_device, compile_once, deterministic
from crossz.models.inference import autocast, build, error_of, predict, redshift_score, temperatures
from crossz.models.rows import load_rows, subsample

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 20.0
"""A checkpoint is written at the end of an epoch when the last one is older than this."""


PROGRESS_SECONDS = 5.0
"""A line of progress is printed at the end of an epoch when the last one is older than this."""


_WARM_UP = 0.05  # share of a cosine schedule during which the learning rate rises


_RAMP = 10.0  # steepness of the gradient-reversal ramp 2 / (1 + exp(-10 p)) - 1 (Ganin et al. 2016)


def cosine(progress: float) -> float:
    """Factor of the learning rate at `progress` 0..1 of the training: a short linear warm-up, then half a cosine."""
    if progress < _WARM_UP:
        return max(progress, 1e-3) / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))


@torch.random.fork_rng()  # PyTorch's layers know only its global generator: seeded in here, as it was outside
def train(
    catalog_path: str | Path,
    split_path: str | Path,
    index_path: str | Path,
    shard_paths: Sequence[str | Path],
    model_path: str | Path,
    info_path: str | Path,
    history_path: str | Path,
    checkpoint_path: str | Path,
    *,
    crossmodal: dict,
    training: dict,
    magnitudes: str,
    columns: Sequence[str] = (),
    classes: Sequence[str] = (),
    seed: int,
    code: str,
    threads: int = 1,
    together: int = 1,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train one network on one split; write its weights, what is needed to use them, and the history of the training.

    `crossmodal` and `training` are the configuration's blocks `crossmodal` and `train`; `magnitudes` and `columns` those of `photometry`. With `classes`
    the network tells these apart instead of redshifts. A run that was killed goes on
    from `checkpoint_path` and gives the same bytes as one that was not; a checkpoint of other data, code or settings is
    left aside with a message. `stop` is asked after every epoch whether to write a checkpoint and end with an error. With `members` in the block `train`, so many networks from different random starts: their
    PDFs are averaged, and recalibrated together on the validation part. Test rows are never looked at.

    `together`: so many processes, a GPU each, train on a share of every batch; steps are those of one process, to
    rounding, apart from dropout, and `threads` are divided among them.
    """
    if together > 1:
        settings = {name: value for name, value in locals().items() if name not in ("together", "stop")}
        return distributed.run(together, train, settings | {"threads": max(1, threads // together)}, stop)
    device = choose_device()
    deterministic(threads)
    store = ImageStore(index_path, shard_paths)
    rows = load_rows(catalog_path, split_path, store)
    train_rows = subsample(rows[rows["subset"] == "train"], training["share"])
    val_rows = rows[rows["subset"] == "val"]
    info = {
        "crossmodal": crossmodal,
        "train": training,
        "magnitudes": magnitudes,
        "seed": seed,
        "n": {"train": len(train_rows), "val": len(val_rows), "test": int((rows["subset"] == "test").sum())},
        "scalers": fit_scalers(train_rows, store, magnitudes, crossmodal, columns),
    }
    info |= {"columns": list(columns)} if columns else {}
    info |= {"classes": list(classes)} if classes else {}
    part, val = (load_part(some, store, info, device) for some in (train_rows, val_rows))
    for name, some in (("train", part), ("val", val)) if classes else ():
        classes.require_all(some.z, classes, f"{split_path}, part {name}")
    fingerprint = _fingerprint(info, code, (part, val), shard_paths)

    point = _read_checkpoint(checkpoint_path, fingerprint, device)
    members: list[dict] = [] if point is None else point["members"]

    def keep(running: dict, ending: bool) -> None:
        if distributed.number() == 0:
            with atomic_path(checkpoint_path) as temporary:
                torch.save({"fingerprint": fingerprint, "members": members, "running": running}, temporary)
        if ending:
            distributed.wait()
            raise CrosszError(f"asked to stop; the next run goes on from {checkpoint_path}")

    while len(members) < training["members"]:
        members.append(train_member(len(members), part, val, info, keep, stop, point and point["running"]))
        point = None

    nets = [build(crossmodal, columns, classes).to(device, memory_format=torch.channels_last) for _ in members]
    for net, member in zip(nets, members, strict=True):
        net.load_state_dict(member["weights"])
    temperature = temperatures(predict(nets, val, info), val.z)
    if distributed.number() > 0:
        return None
    weights = io.BytesIO()  # torch.save writes a file's name into it, and a temporary name differs from run to run
    torch.save([{name: value.cpu() for name, value in member["weights"].items()} for member in members], weights)
    with atomic_path(model_path) as temporary:
        temporary.write_bytes(weights.getvalue())
    with atomic_path(history_path) as temporary:
        history = [{"member": number} | row for number, member in enumerate(members) for row in member["history"]]
        pd.DataFrame(history).to_csv(temporary, index=False, float_format="%.8g")
    outcome = {"temperature": temperature} if temperature else {}
    outcome["members"] = [
        {"best_epoch": member["best_epoch"], "best_score": member["best"], "epochs_run": member["epoch"]}
        for member in members
    ]
    if distributed.count() > 1:
        outcome["processes"] = distributed.count()
    write_json(info_path, info | outcome | {"device": device.type, "model_sha256": sha256(model_path)})
    Path(checkpoint_path).unlink(missing_ok=True)
    return None


def train_member(
    number: int,
    part: Part,
    val: Part,
    info: dict,
    keep: Callable[[dict, bool], None],
    stop: Callable[[], bool],
    point: dict | None,
) -> dict:
    """Train one network, from `point` where an earlier run left one: weights of its best epoch, history, epochs run.

    The best epoch is that of the smallest `redshift_score` of the validation part, mean over the trained patterns. `keep`
    is given what a later run needs to go on, after some time, or when `stop` says so in any process: then it has to raise.
    """
    crossmodal, training, seed = info["crossmodal"], info["train"], info["seed"]
    patterns = trained_patterns(crossmodal["z_patterns"])
    torch.manual_seed(_seed(seed, part.objID, number, -1))
    device = part.target.device
    net = distributed.synchronised(
        build(crossmodal, info.get("columns", ()), info.get("classes", ())).to(
            device, memory_format=torch.channels_last
        )
    )
    if training["compile"]:
        compile_once(net.encode_img.cnn)
    trained = distributed.parallel(net, some_unused=crossmodal["z_patterns"] in ALONE)
    optimizer = _optimizer(net, training)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=training["patience"] // 3)
    things = {"net": net, "optimizer": optimizer, "plateau": plateau}
    state = {"epoch": 0, "best": math.inf, "best_epoch": 0, "weights": {}, "history": []}
    if point is not None:
        state = point["state"]
        for name, thing in things.items():
            thing.load_state_dict(point[name])

    epochs, begun = training["epochs"], state["epoch"]
    started = saved = printed = time.monotonic()
    while state["epoch"] < epochs and state["epoch"] - state["best_epoch"] <= training["patience"]:
        # All random draws of an epoch are seeded here, so that a resume is exact.
        torch.manual_seed(_seed(seed, part.objID, number, state["epoch"]))
        losses = train_epoch(trained, optimizer, part, info, state["epoch"], patterns)
        found = predict([net], val, info)
        errors = {name: error_of(estimate, val.z) for name, estimate in found.items()}
        score = float(np.mean([redshift_score(found[inputs], val.z) for inputs in patterns]))
        if not math.isfinite(score + losses["loss"]):
            raise CrosszError(f"training diverged in epoch {state['epoch']}; lower train.learning_rate")
        if training["schedule"] == "plateau":
            plateau.step(score)
        if score < state["best"]:
            state |= {"best": score, "best_epoch": state["epoch"], "weights": copy.deepcopy(net.state_dict())}
        row = {"epoch": state["epoch"], "learning_rate": optimizer.param_groups[0]["lr"]} | losses | {"score": score}
        state["history"].append(row | {f"val {name}": value for name, value in errors.items()})
        state["epoch"] += 1
        now = time.monotonic()
        ending = distributed.any_of(stop(), device)
        if ending or now - saved > CHECKPOINT_SECONDS:
            keep({"state": state} | {name: thing.state_dict() for name, thing in things.items()}, ending)
            saved = now
        if now - printed > PROGRESS_SECONDS or state["epoch"] == epochs:
            printed = now
            pace = (now - started) / (state["epoch"] - begun)
            kind, error = ("classes", "wrong") if "classes" in info else ("redshift", "RMSE")
            which = f"network {number + 1}/{training['members']}, " if training["members"] > 1 else ""
            log.info(
                f"{which}epoch {state['epoch']}/{epochs}  loss {losses['loss']:.4f}  J_z {losses[kind]:.4f}  "
                f"val {error} {errors[patterns[0]]:.4f}, score {score:.4f} (best {state['best']:.4f})  "
                f"{len(part.z) / pace:,.0f} images/s, {pace * (epochs - state['epoch']):.0f} s left"
            )
    return state


def train_epoch(
    net: nn.Module, optimizer: torch.optim.Optimizer, part: Part, info: dict, epoch: int, patterns: list[str]
) -> dict[str, float]:
    """One pass over the training part; mean losses. Random draws come from torch's generator, seeded by the caller.

    Of several processes each takes its share of every batch: the order of objects and the turns of images are those of one
    process, dropout is each process's own. Nothing in a step waits for the device.
    """
    crossmodal, training, device = info["crossmodal"], info["train"], part.target.device
    net.train()
    batches = math.ceil(len(part.z) / training["batch_size"])
    order = torch.randperm(len(part.z)).to(device)
    turns = torch.default_generator
    if distributed.count() > 1:
        turns = torch.Generator().set_state(torch.get_rng_state())
        torch.manual_seed(torch.initial_seed() + distributed.number())
    sums: dict[str, torch.Tensor] = {}
    for batch, everyone in enumerate(order.tensor_split(batches)):
        mine = distributed.share(len(everyone))
        positions = everyone[mine]
        progress = (epoch + batch / batches) / training["epochs"]
        if training["schedule"] == "cosine":
            for group in optimizer.param_groups:
                group["lr"] = training["learning_rate"] * cosine(progress)
        turned = partial(augmented, first=mine.start, batch=len(everyone), generator=turns)
        inputs = inputs_of(part, positions, crossmodal["z_patterns"], turned if training["augment"] else None)
        with autocast(device, training["precision"]):
            terms = net(
                *inputs,
                part.target[positions],
                part.extinction[positions],
                patterns=patterns,
                alpha=crossmodal["alpha"],
                beta=crossmodal["beta"],
                pair_weight=crossmodal["pair_weight"],
                reversal=crossmodal["reversal"] * (2 / (1 + math.exp(-_RAMP * progress)) - 1),
            )
        optimizer.zero_grad(set_to_none=True)
        # Processes have the mean of their gradients: that of the batch, if each loss counts for its objects.
        (terms["loss"] * (len(positions) * distributed.count() / len(everyone))).backward()
        nn.utils.clip_grad_norm_(net.parameters(), training["gradient_clip"])
        optimizer.step()
        for name, value in terms.items():
            sums[name] = sums.get(name, 0) + value.detach() * (len(positions) / len(part.z))
    return {name: float(distributed.summed(value)) for name, value in sums.items()}


def _optimizer(net: nn.Module, training: dict) -> torch.optim.Optimizer:
    settings = {"lr": training["learning_rate"], "weight_decay": training["weight_decay"]}
    if training["optimizer"] == "sgd":
        return torch.optim.SGD(net.parameters(), momentum=training["momentum"], **settings)
    return torch.optim.AdamW(net.parameters(), fused=True, **settings)


def _seed(seed: int, objID: np.ndarray, member: int, epoch: int) -> int:
    digest = hashlib.blake2b(objID.tobytes(), digest_size=7, key=f"{seed}:{member}:{epoch}".encode())
    return int.from_bytes(digest.digest(), "little")


def _fingerprint(info: dict, code: str, parts: tuple[Part, ...], shard_paths: Sequence[str | Path]) -> str:
    # Labels of the test part do not enter: permuting them must leave every byte of the training alone.
    digest = hashlib.sha256(json.dumps([info, code, torch.__version__], sort_keys=True).encode())
    for part in parts:
        digest.update(part.objID.tobytes() + part.z.tobytes())
        digest.update(part.x_mag.cpu().numpy().tobytes() + part.x_colour.cpu().numpy().tobytes())
    for path in shard_paths:
        digest.update(sampled_digest(path).encode())
    return digest.hexdigest()


def _read_checkpoint(path: str | Path, fingerprint: str, device: torch.device) -> dict | None:
    if not Path(path).exists():
        return None
    point = torch.load(path, map_location=device, weights_only=True)
    if point["fingerprint"] != fingerprint:
        log.info(f"{path}: a checkpoint of other data, code or settings; starting anew")
        return None
    log.info(f"{path}: going on after epoch {point['running']['state']['epoch']}")
    return point
