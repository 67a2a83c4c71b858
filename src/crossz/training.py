"""Training and evaluation of the cross-modal network: one loop, validation-chosen checkpoint, resume after a kill.

Imports only torch, numpy, pandas and pyarrow: it runs on a GPU machine that has nothing else.
"""

import copy
import hashlib
import io
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from crossz import BANDS, machine, pdf, processes, shards
from crossz import classes as cl
from crossz import features as ft
from crossz.errors import CrosszError
from crossz.files import atomic_path, read_json, sha256, write_json
from crossz.models import backbones
from crossz.models.crossmodal import ALONE, CrossModal, input_patterns, mixture, trained_patterns
from crossz.pdf import Mixture
from crossz.samples import dz, load_rows, write_classes, write_predictions

RESUME_SECONDS = 20.0
"""A resume point is written at the end of an epoch when the last one is older than this."""
RESIDENT_BYTES = 2 << 30
"""Images up to this size are gathered once and stay in memory; on a graphics card, up to half of its free memory."""
PROGRESS_SECONDS = 5.0
"""A line of progress is printed at the end of an epoch when the last one is older than this."""
_WARM_UP = 0.05  # share of a cosine schedule during which the learning rate rises
_RAMP = 10.0  # steepness of the gradient-reversal ramp 2 / (1 + exp(-10 p)) - 1 (Ganin et al. 2016)

Fetch = Callable[[torch.Tensor], torch.Tensor]


def image_source(store: shards.ImageStore, rows: np.ndarray, sky_noise: list[float], device: torch.device) -> Fetch:
    """A function from positions in `rows`, on `device`, to stretched images [b, 5, 64, 64] float16 there.

    Images that fit (RESIDENT_BYTES) are gathered and stretched once; others batch by batch. Both are rounded to float16,
    so that which of the two a machine's memory allows does not change a result.
    """

    def load(some: np.ndarray) -> torch.Tensor:
        image, mask = (torch.from_numpy(array).to(device) for array in store.gather(some))
        return backbones.stretched(image, mask, sky_noise).half().contiguous(memory_format=torch.channels_last)

    limit = RESIDENT_BYTES if device.type == "cpu" else torch.cuda.mem_get_info(device)[0] // 2
    if len(rows) * len(BANDS) * backbones.IMAGE_SIZE**2 * 2 > limit:
        return lambda positions: load(rows[positions.cpu().numpy()])
    resident = torch.empty(
        (len(rows), len(BANDS), backbones.IMAGE_SIZE, backbones.IMAGE_SIZE),
        dtype=torch.float16,
        device=device,
        memory_format=torch.channels_last,
    )
    for some in np.array_split(np.arange(len(rows)), math.ceil(len(rows) / 512)):
        resident[some] = load(rows[some])
    return lambda positions: resident[positions]


def target_of(z: np.ndarray, kind: str) -> np.ndarray:
    """What the redshift head predicts: log1p(z) or z itself."""
    return np.log1p(z) if kind == "log1p" else np.asarray(z, float)


def redshift_of(target: np.ndarray, kind: str) -> np.ndarray:
    """The inverse of `target_of`."""
    return np.expm1(target) if kind == "log1p" else target


class Part(NamedTuple):
    """The rows of one part of a split, on the device: scaled inputs and targets, and where their images come from."""

    objID: np.ndarray  # [n] int64
    z: np.ndarray  # [n] spectroscopic redshift; of classification the label of the class
    x_mag: torch.Tensor  # [n, 5, 3] scaled
    x_colour: torch.Tensor  # [n, 4 + 2 k] scaled; k further columns of the catalogue
    target: torch.Tensor  # [n] scaled log1p(z) or z; labels, int64
    extinction: torch.Tensor  # [n, 5] scaled
    fetch: Fetch | None  # None: a network of photometry alone reads no image


def load_part(rows: pd.DataFrame, store: shards.ImageStore, info: dict, device: torch.device) -> Part:
    """The `rows` of one part under the scalers of `info`."""
    scalers = info["scalers"]
    phot = ft.photometry(rows, info["magnitudes"], info.get("columns", ()))
    x_mag, x_colour = ft.tokens(phot)
    if "classes" in info:
        truth = target = cl.labels(rows, info["classes"])
    else:
        truth = rows["z"].to_numpy()
        target = target_of(truth, info["crossmodal"]["target"])
        target = ((target - scalers["z"]["centre"]) / scalers["z"]["width"]).astype(np.float32)
    arrays = (
        ft.apply_scaler(scalers["x_mag"], x_mag),
        ft.apply_scaler(scalers["x_colour"], x_colour),
        target,
        ft.apply_scaler(scalers["extinction"], phot.extinction),
    )
    on_device = (torch.from_numpy(array).to(device) for array in arrays)
    noise = scalers.get("sky_noise")
    fetch = None if noise is None else image_source(store, rows["row"].to_numpy(), noise, device)
    return Part(rows["objID"].to_numpy(), truth, *on_device, fetch)


def fit_scalers(
    train: pd.DataFrame, store: shards.ImageStore, magnitudes: str, crossmodal: dict, columns: Sequence[str] = ()
) -> dict:
    """Everything that is fitted before training, on the training part alone."""
    phot = ft.photometry(train, magnitudes, columns)
    x_mag, x_colour = ft.tokens(phot)
    z = target_of(train["z"].to_numpy(), crossmodal["target"])
    sample = train["row"].to_numpy()[:: max(1, len(train) // 1000)]
    images = {} if crossmodal["z_patterns"] == "phot" else {"sky_noise": ft.sky_noise(*store.gather(sample))}
    return images | {
        "x_mag": ft.fit_scaler(x_mag),
        "x_colour": ft.fit_scaler(x_colour),
        "extinction": ft.fit_scaler(phot.extinction),
        "z": {"centre": float(z.mean()), "width": float(max(z.std(), 1e-6))},
    }


def augmented(
    image: torch.Tensor, first: int = 0, batch: int | None = None, chance: torch.Generator | None = None
) -> torch.Tensor:
    """Images [n, 5, y, x], each quarter of their batch under a random quarter turn and flip: the sky has no up.

    They are objects `first`, `first` + 1, ... of a batch of `batch` (default: all of it): who shares a batch turns each image alike.
    """
    parts, quarter = [], math.ceil((batch or len(image)) / 4)
    for begin in range(-first, (batch or len(image)) - first, quarter):
        turns, flip = torch.randint(4, (2,), generator=chance).tolist()
        part = image[max(begin, 0) : max(begin + quarter, 0)]
        if turns % 2:
            part = part.transpose(2, 3)
        axes = [2] * (turns in (1, 2)) + [3] * ((turns in (2, 3)) != flip % 2)
        parts.append(part.flip(axes) if axes else part)  # one copy for a turn and a flip
    return torch.cat(parts)


def cosine(progress: float) -> float:
    """Factor of the learning rate at `progress` 0..1 of the training: a short linear warm-up, then half a cosine."""
    if progress < _WARM_UP:
        return max(progress, 1e-3) / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))


class Estimate(NamedTuple):
    """z_phot [n] of one input pattern and, of a mixture head, the PDFs in ln(1 + z); or the probabilities [n, c] of classes."""

    z_phot: np.ndarray | None
    pdf: Mixture | None
    probability: np.ndarray | None = None


def inputs_of(
    part: Part, positions: torch.Tensor, z_patterns: str, turned: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> tuple[torch.Tensor | None, ...]:
    """X_mag, X_colour and image of the rows `positions` of `part`; a network of one modality is shown nothing of the other."""
    phot = (None, None) if z_patterns == "img" else (part.x_mag[positions], part.x_colour[positions])
    if z_patterns == "phot":
        return *phot, None
    image = part.fetch(positions)
    return *phot, (turned(image) if turned else image).float()  # half the bytes to turn


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
    chunks = processes.count() * math.ceil(len(part.z) / 512 / processes.count())
    chunks = torch.arange(len(part.z), device=device).tensor_split(chunks)
    for positions in chunks[processes.number() :: processes.count()]:
        with autocast(device, info["train"]["precision"]):
            chi = net.features(*inputs_of(part, positions, z_patterns))
            for inputs in input_patterns(z_patterns):
                head = net.z(chi, inputs).float()
                found.setdefault(inputs, head.new_zeros(len(part.z), head.shape[1]))[positions] = head
    return {inputs: _estimate(processes.summed(heads).cpu(), info) for inputs, heads in found.items()}


def redshift_score(estimate: Estimate, z: np.ndarray) -> float:
    """What chooses the epoch: mean CRPS of PDFs, which a few outliers do not rule as they do an RMSE; RMSE of dz of points.

    Of classes the log loss.
    """
    if estimate.probability is not None:
        return cl.log_loss(estimate.probability, z)
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
            fitted[inputs] = cl.fit_temperature(estimate.probability, z)
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
    """Compute in `precision`: auto is bfloat16 where it pays, on the graphics card, and float32 elsewhere."""
    wanted = device.type == "cuda" if precision == "auto" else precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


@torch.random.fork_rng()  # PyTorch's layers know only its global generator: seeded in here, as it was outside
def train(
    catalog_path: str | Path,
    split_path: str | Path,
    index_path: str | Path,
    shard_paths: Sequence[str | Path],
    model_path: str | Path,
    info_path: str | Path,
    history_path: str | Path,
    resume_path: str | Path,
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
    from `resume_path` and gives the same bytes as one that was not; a resume point of other data, code or settings is
    left aside with a message. `stop` is asked after every epoch whether to write a resume point and end with an error. With `members` in the block `train`, so many networks from different random starts: their
    PDFs are averaged, and recalibrated together on the validation part. Test rows are never looked at.

    `together`: so many processes, a graphics card each, train on a share of every batch; steps are those of one process, to
    rounding, apart from dropout, and `threads` are divided among them.
    """
    if together > 1:
        settings = {name: value for name, value in locals().items() if name not in ("together", "stop")}
        return processes.run(together, train, settings | {"threads": max(1, threads // together)}, stop)
    device = machine.device()
    machine.deterministic(threads)
    store = shards.ImageStore(index_path, shard_paths)
    rows = load_rows(catalog_path, split_path, store)
    train_rows = thinned(rows[rows["subset"] == "train"], training["share"])
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
        cl.require_all(some.z, classes, f"{split_path}, part {name}")
    fingerprint = _fingerprint(info, code, (part, val), shard_paths)

    point = _resume(resume_path, fingerprint, device)
    members: list[dict] = [] if point is None else point["members"]

    def keep(running: dict, ending: bool) -> None:
        if processes.number() == 0:
            with atomic_path(resume_path) as temporary:
                torch.save({"fingerprint": fingerprint, "members": members, "running": running}, temporary)
        if ending:
            processes.wait()
            raise CrosszError(f"asked to stop; the next run goes on from {resume_path}")

    while len(members) < training["members"]:
        members.append(train_member(len(members), part, val, info, keep, stop, point and point["running"]))
        point = None

    nets = [build(crossmodal, columns, classes).to(device, memory_format=torch.channels_last) for _ in members]
    for net, member in zip(nets, members, strict=True):
        net.load_state_dict(member["weights"])
    temperature = temperatures(predict(nets, val, info), val.z)
    if processes.number() > 0:
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
    if processes.count() > 1:
        outcome["processes"] = processes.count()
    write_json(info_path, info | outcome | {"device": device.type, "model_sha256": sha256(model_path)})
    Path(resume_path).unlink(missing_ok=True)
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
    net = processes.synchronised(
        build(crossmodal, info.get("columns", ()), info.get("classes", ())).to(
            device, memory_format=torch.channels_last
        )
    )
    if training["compile"]:
        machine.compile_once(net.encode_img.cnn)
    trained = processes.parallel(net, some_unused=crossmodal["z_patterns"] in ALONE)
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
        # All of an epoch's chance is seeded here, so that a resume is exact.
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
        ending = processes.any_of(stop(), device)
        if ending or now - saved > RESUME_SECONDS:
            keep({"state": state} | {name: thing.state_dict() for name, thing in things.items()}, ending)
            saved = now
        if now - printed > PROGRESS_SECONDS or state["epoch"] == epochs:
            printed = now
            pace = (now - started) / (state["epoch"] - begun)
            kind, error = ("classes", "wrong") if "classes" in info else ("redshift", "RMSE")
            which = f"network {number + 1}/{training['members']}, " if training["members"] > 1 else ""
            print(
                f"{which}epoch {state['epoch']}/{epochs}  loss {losses['loss']:.4f}  J_z {losses[kind]:.4f}  "
                f"val {error} {errors[patterns[0]]:.4f}, score {score:.4f} (best {state['best']:.4f})  "
                f"{len(part.z) / pace:,.0f} images/s, {pace * (epochs - state['epoch']):.0f} s left",
                flush=True,
            )
    return state


def train_epoch(
    net: nn.Module, optimizer: torch.optim.Optimizer, part: Part, info: dict, epoch: int, patterns: list[str]
) -> dict[str, float]:
    """One pass over the training part; mean losses. Chance comes from torch's generator, seeded by the caller.

    Of several processes each takes its share of every batch: the order of objects and the turns of images are those of one
    process, dropout is each process's own. Nothing in a step waits for the device.
    """
    crossmodal, training, device = info["crossmodal"], info["train"], part.target.device
    net.train()
    batches = math.ceil(len(part.z) / training["batch_size"])
    order = torch.randperm(len(part.z)).to(device)
    turns = torch.default_generator
    if processes.count() > 1:
        turns = torch.Generator().set_state(torch.get_rng_state())
        torch.manual_seed(torch.initial_seed() + processes.number())
    sums: dict[str, torch.Tensor] = {}
    for batch, everyone in enumerate(order.tensor_split(batches)):
        mine = processes.share(len(everyone))
        positions = everyone[mine]
        progress = (epoch + batch / batches) / training["epochs"]
        if training["schedule"] == "cosine":
            for group in optimizer.param_groups:
                group["lr"] = training["learning_rate"] * cosine(progress)
        turned = partial(augmented, first=mine.start, batch=len(everyone), chance=turns)
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
        (terms["loss"] * (len(positions) * processes.count() / len(everyone))).backward()
        nn.utils.clip_grad_norm_(net.parameters(), training["gradient_clip"])
        optimizer.step()
        for name, value in terms.items():
            sums[name] = sums.get(name, 0) + value.detach() * (len(positions) / len(part.z))
    return {name: float(processes.summed(value)) for name, value in sums.items()}


def thinned(rows: pd.DataFrame, share: float) -> pd.DataFrame:
    """`share` of the rows, at least two, chosen by a hash of objID: a smaller share is part of any larger one."""
    order = [hashlib.blake2b(objID.tobytes(), digest_size=8).digest() for objID in rows["objID"].to_numpy()]
    kept = np.sort(np.argsort(order)[: max(2, round(share * len(rows)))])
    return rows.iloc[kept]


def build(crossmodal: dict, columns: Sequence[str] = (), classes: Sequence[str] = ()) -> CrossModal:
    """The network that the configuration's block `crossmodal` describes, with further `columns` of the catalogue, of `classes`."""
    settings = {key: crossmodal[key] for key in ("backbone", "stem", "attention", "attention_layers", "dropout")}
    components = crossmodal["components"] if crossmodal["head"] == "mixture" else 0
    return CrossModal(**settings, components=components, further=len(columns), classes=len(classes))


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


def evaluate(
    catalog_path: str | Path,
    split_path: str | Path,
    index_path: str | Path,
    shard_paths: Sequence[str | Path],
    model_path: str | Path,
    info_path: str | Path,
    prediction_paths: dict[str, str | Path],
    threads: int = 1,
) -> None:
    """Write predictions of the validation and test rows, one table an input pattern (samples.write_predictions).

    PDFs are recalibrated with the temperature that the validation part chose.
    Raises CrosszError when the weights are not those that `info_path` was written with.
    """
    machine.deterministic(threads)
    device = machine.device()
    nets, info = load_networks(model_path, info_path, device)
    store = shards.ImageStore(index_path, shard_paths)
    rows = load_rows(catalog_path, split_path, store)
    rows = rows[rows["subset"] != "train"]
    found = predict(nets, load_part(rows, store, info, device), info)
    for pattern, path in prediction_paths.items():
        estimate = recalibrated(found[pattern], pattern, info)
        if estimate.probability is not None:
            write_classes(path, rows, estimate.probability, info["classes"])
        else:
            write_predictions(path, rows, estimate.z_phot, estimate.pdf)


def recalibrated(estimate: Estimate, inputs: str, info: dict) -> Estimate:
    """The estimate with its PDFs at the temperature that the validation part chose; z_phot stays."""
    if estimate.probability is not None:
        return estimate._replace(probability=cl.tempered(estimate.probability, info["temperature"][inputs]))
    if estimate.pdf is None:
        return estimate
    return estimate._replace(pdf=pdf.tempered(estimate.pdf, info["temperature"][inputs]))


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
        digest.update(shards.sampled_digest(path).encode())
    return digest.hexdigest()


def _resume(path: str | Path, fingerprint: str, device: torch.device) -> dict | None:
    if not Path(path).exists():
        return None
    point = torch.load(path, map_location=device, weights_only=True)
    if point["fingerprint"] != fingerprint:
        print(f"{path}: a resume point of other data, code or settings; starting anew", flush=True)
        return None
    print(f"{path}: going on after epoch {point['running']['state']['epoch']}", flush=True)
    return point
