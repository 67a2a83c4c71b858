"""The baseline PhotoRedshift-MML on one split: photometry that generates the feature of a spectrum.

Network A estimates z from the spectrum. B learns A's feature of the spectrum from photometry. C estimates z from
photometry and B's feature. The module imports only torch, numpy, pandas and pyarrow.

References
----------
Hong et al. (2023), MNRAS 518, 5049.
"""

import copy
import io
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, sha256, write_json
from crossz.core.names import MML_INPUTS
from crossz.estimates.estimates import Point, dz
from crossz.estimates.predictions import write_predictions
from crossz.images.store import ImageStore
from crossz.models import features as ft
from crossz.models.device import choose_device, deterministic
from crossz.models.mml import FEATURES, PHOTOMETRIC, POOL, STEP, SpectrumNet, generator, log_cosh, regressor
from crossz.models.mml_inputs import Range, Spectra, apply_range, fit_range, load_spectra, photometric_inputs
from crossz.models.rows import load_rows

log = logging.getLogger(__name__)

PHOTOMETRIC_PASSES = 3
"""Epochs of the photometric networks per epoch of A: they are cheap, and their batches few."""
LARGEST_SHIFT = 30
"""Network A is trained on spectra shifted by up to so many of its pixels, 6 % of 1 + z: a few spectra show many redshifts."""

_BLOCK = 256  # rows that go through a network together

Inputs = torch.Tensor | Spectra
"""Inputs [n, ...] of n objects."""
Score = Callable[[nn.Module], float]
"""The error of a network on the validation part."""


@torch.no_grad()
def applied(
    function: Callable[[torch.Tensor], torch.Tensor], inputs: Inputs, rows: torch.Tensor | None = None
) -> torch.Tensor:
    """`function` of `inputs` of the rows `rows` [m] int64 (default: all), a few at a time; the result is on the processor."""
    device = choose_device()
    rows = torch.arange(len(inputs)) if rows is None else rows
    result = torch.empty(0)
    for number, block in enumerate(rows.split(_BLOCK)):
        values = function(inputs[block].to(device).float()).cpu()
        if number == 0:
            result = values.new_empty(len(rows), *values.shape[1:])
        result[number * _BLOCK :][: len(block)] = values
    return result


def shifted(spectrum: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Spectra, each moved to the red as if its object were at another redshift.

    A pixel is POOL * STEP * ln 10 in ln(1 + z). Pixels that come in at an end repeat the last one and are not good.

    Parameters
    ----------
    spectrum
        Spectra [n, 2, p]: flux and share of good pixels.
    pixels
        Shifts [n] int64.

    Returns
    -------
    torch.Tensor
        Spectra [n, 2, p].
    """
    size = spectrum.shape[2]
    source = torch.arange(size, device=spectrum.device) - pixels.to(spectrum.device)[:, None]
    moved = spectrum.gather(2, source.clamp(0, size - 1)[:, None].expand_as(spectrum))
    moved[:, 1] *= (source >= 0) & (source < size)
    return moved


@dataclass(frozen=True)
class Task:
    """What a network is trained for."""

    name: str
    """Its name in messages."""
    x: Inputs
    """Of all rows."""
    y: torch.Tensor
    """Targets [n, ...]."""
    rows: torch.Tensor
    """[m] int64, the rows to train on."""
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    score: Score
    epochs: int
    shift: float = 0.0
    """What a pixel adds to `y` when x are spectra that are trained under random shifts; 0 where they are not."""


class Outcome(NamedTuple):
    """How a network was trained."""

    best_epoch: int  # the epoch that is kept
    best_val: float  # its score
    epochs_run: int


def fit(net: nn.Module, task: Task, mml: Mapping[str, Any]) -> Outcome:
    """Train `net` with Adam, and keep the weights of the epoch with the smallest score of the validation part.

    Parameters
    ----------
    net
        Changed in place.
    mml
        The configuration's block: learning_rate, batch_size.

    Raises
    ------
    CrosszError
        No epoch has a finite score.
    """
    device = choose_device()
    net.to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=mml["learning_rate"], fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task.epochs)
    best, best_epoch, weights = math.inf, 0, {}
    started = printed = time.monotonic()
    for epoch in range(task.epochs):
        net.train()
        for batch in torch.randperm(len(task.rows)).chunk(math.ceil(len(task.rows) / mml["batch_size"])):
            rows = task.rows[batch]
            inputs, target = task.x[rows].to(device).float(), task.y[rows]
            if task.shift:
                pixels = torch.randint(-LARGEST_SHIFT, LARGEST_SHIFT + 1, (len(batch),))
                inputs, target = shifted(inputs, pixels), target + task.shift * pixels
            optimizer.zero_grad(set_to_none=True)
            task.loss(net(inputs), target.to(device)).backward()
            optimizer.step()
        schedule.step()
        net.eval()
        value = task.score(net)
        if value < best:
            best, best_epoch, weights = value, epoch, copy.deepcopy(net.state_dict())
        now = time.monotonic()
        if now - printed > 5 or epoch + 1 == task.epochs:
            printed = now
            left = (now - started) / (epoch + 1) * (task.epochs - epoch - 1)
            progress = f"epoch {epoch + 1}/{task.epochs}  val {value:.4f} (best {best:.4f})"
            log.info(f"{task.name}: {progress}  {left:.0f} s left")
    if not weights:
        raise CrosszError(f"{task.name}: training diverged; lower mml.learning_rate")
    net.load_state_dict(weights)
    net.eval()
    return Outcome(best_epoch, best, task.epochs)


class Scale(NamedTuple):
    """What scales the target ln(1 + z)."""

    centre: float
    width: float


@dataclass(frozen=True)
class Data:
    """All rows of one split as the networks see them. The scalers are fitted on the training part."""

    z: np.ndarray  # [n] spectroscopic redshift
    subset: np.ndarray  # [n] train, val or test
    there: np.ndarray  # [n] bool, whether there is a spectrum
    phot: torch.Tensor  # [n, 15] scaled
    target: torch.Tensor  # [n] scaled ln(1 + z)
    limits: Range  # of phot
    scale: Scale  # of target

    def redshift(self, net: nn.Module, x: Inputs, rows: torch.Tensor | None = None) -> np.ndarray:
        """z_phot [m] that `net` estimates from inputs `x` [n, ...] of the rows `rows` [m]; default: all."""
        return np.expm1(applied(net, x, rows).numpy().astype(float) * self.scale.width + self.scale.centre)

    def rmse(self, x: Inputs, rows: torch.Tensor) -> Score:
        """The score of a network that estimates z from `x`: RMSE of dz of the rows `rows` [m]."""
        return lambda net: float(np.sqrt(np.mean(dz(self.redshift(net, x, rows), self.z[rows.numpy()]) ** 2)))

    def rows(self, part: str, seen: bool = False) -> torch.Tensor:
        """The rows [m] int64 of a subset; those with a spectrum alone, if they have to be `seen`."""
        chosen = (self.subset == part) & (self.there if seen else True)
        return torch.from_numpy(np.flatnonzero(chosen))


def prepare(rows: pd.DataFrame, spectra: Sequence[str | Path], magnitudes: str) -> tuple[Data, Spectra]:
    """The data of one split, and its spectra.

    Parameters
    ----------
    rows
        What rows.load_rows gives.
    spectra
        Paths of files of spectra.
    magnitudes
        Kind of magnitudes: dered_model or psf.

    Raises
    ------
    CrosszError
        The training or the validation part has no spectrum.
    """
    z, subset = rows["z"].to_numpy(), rows["subset"].to_numpy()
    train = subset == "train"
    loaded, there = load_spectra(spectra, rows["objID"].to_numpy())
    for name in ("train", "val"):
        if not there[subset == name].any():
            raise CrosszError(f"no object of part {name} has a spectrum; take the dataset out of mml.datasets")
    inputs, log1p = photometric_inputs(rows, magnitudes), np.log1p(z)
    scale = Scale(float(log1p[train].mean()), float(max(log1p[train].std(), 1e-6)))
    limits = fit_range(inputs[train])
    target = torch.from_numpy(((log1p - scale.centre) / scale.width).astype(np.float32))
    return Data(z, subset, there, apply_range(limits, inputs), target, limits, scale), loaded


class Spectral(NamedTuple):
    """Network A and what it says of the spectra."""

    net: SpectrumNet
    outcome: Outcome
    feature: torch.Tensor  # [t, 128] of the training part, in units of its spread about its mean
    feature_val: torch.Tensor  # [v, 128] of the validation part
    scale: dict[str, torch.Tensor]  # mean and spread [128]
    z_phot: np.ndarray  # [n] of all rows


def train_on_spectra(data: Data, spectra: Spectra, mml: Mapping[str, Any]) -> Spectral:
    """Train network A.

    Parameters
    ----------
    mml
        The configuration's block: epochs, learning_rate, batch_size.
    """
    a, train, val = SpectrumNet(spectra.flux.shape[1]), data.rows("train", True), data.rows("val", True)
    shift = POOL * STEP * math.log(10) / data.scale.width
    loss, score = nn.functional.l1_loss, data.rmse(spectra, val)
    outcome = fit(a, Task("A, spectrum", spectra, data.target, train, loss, score, mml["epochs"], shift), mml)
    feature, feature_val = (applied(a.features, spectra, rows) for rows in (train, val))
    mean, spread = feature.mean(0), feature.std(0, correction=0).clamp_min(1e-6)
    for part in (feature, feature_val):
        part.sub_(mean).div_(spread)
    return Spectral(a, outcome, feature, feature_val, {"mean": mean, "spread": spread}, data.redshift(a, spectra))


class Trained(NamedTuple):
    """The trained networks and what they estimate."""

    weights: dict[str, dict[str, torch.Tensor]]  # of networks a, b, c and phot; mean and spread of A's feature
    z_phot: dict[str, np.ndarray]  # [n] of all rows, by MML_INPUTS
    outcomes: dict[str, Outcome]  # by network


def train_networks(data: Data, spectral: Spectral, mml: Mapping[str, Any]) -> Trained:
    """Train B, C and the network of photometry alone, all from photometry.

    Parameters
    ----------
    mml
        The configuration's block: epochs, learning_rate, batch_size.
    """
    l1, many = nn.functional.l1_loss, PHOTOMETRIC_PASSES * mml["epochs"]
    seen, scored, train, val = data.rows("train", True), data.rows("val", True), data.rows("train"), data.rows("val")
    outcomes = {"a": spectral.outcome}

    def distance(net: nn.Module) -> float:
        return float(log_cosh(applied(net, data.phot, scored), spectral.feature_val))

    b, every = generator(), torch.arange(len(seen))
    outcomes["b"] = fit(b, Task("B, feature", data.phot[seen], spectral.feature, every, log_cosh, distance, many), mml)

    both = applied(lambda phot: torch.cat([phot, b(phot)], 1), data.phot)
    c, plain = regressor(PHOTOMETRIC + FEATURES), regressor(PHOTOMETRIC)
    for key, net, x, name in (("c", c, both, "C, photometry and feature"), ("phot", plain, data.phot, "photometry")):
        task = Task(name, x, data.target, train, l1, data.rmse(x, val), many)
        outcomes[key] = fit(net, task, mml)

    z_phot = {"phot": data.redshift(plain, data.phot), "phot+spec_gen": data.redshift(c, both)}
    z_phot["spec"] = np.where(data.there, spectral.z_phot, z_phot["phot+spec_gen"])
    nets = {"a": spectral.net, "b": b, "c": c, "phot": plain}
    weights = {name: net.cpu().state_dict() for name, net in nets.items()}
    return Trained(weights | {"feature": spectral.scale}, z_phot, outcomes)


@torch.random.fork_rng()  # PyTorch's layers know only its global generator: seeded in here, and outside as it was
def write_mml(
    *,
    catalog: str | Path,
    split: str | Path,
    index: str | Path,
    spectra: Sequence[str | Path],
    model: str | Path,
    info: str | Path,
    predictions: Mapping[str, str | Path],
    mml: Mapping[str, Any],
    magnitudes: str,
    seed: int,
    threads: int = 1,
) -> None:
    """Train the networks on one split; write their weights, how they were made, and predictions.

    The rows are those of every other model (rows.load_rows). An object without a spectrum trains neither A nor B, and its
    `spec` estimate is that of `phot+spec_gen`; the file `info` counts such objects. Epochs are chosen on the validation
    part. Test rows are predicted once.

    Parameters
    ----------
    catalog, split, index
        Paths of a catalog, of one of its splits, and of the index of images, which says which rows every model sees.
    spectra
        Paths of files of spectra.
    model, info
        Paths of the weights and of their description, to write.
    predictions
        Path of the table of predictions to write for each of names.MML_INPUTS.
    mml
        The configuration's block: epochs, learning_rate, batch_size.
    magnitudes
        Kind of magnitudes: dered_model or psf.
    seed
        Seed of the random generator.
    threads
        Threads of the processor to use.

    Raises
    ------
    CrosszError
        The training or the validation part has no spectrum, or a training diverged.
    """
    deterministic(threads)
    torch.manual_seed(seed)
    rows = load_rows(catalog, split, ImageStore(index, []), ["z", *ft.photometry_columns(magnitudes)])
    data, loaded = prepare(rows, spectra, magnitudes)
    held = data.subset != "train"
    rows = rows.loc[held, ["objID", "z", "subset"]]
    spectral = train_on_spectra(data, loaded, mml)
    del loaded  # the largest part of the memory
    trained = train_networks(data, spectral, mml)
    weights = io.BytesIO()  # torch.save writes a file's name into it, and a temporary name differs from run to run
    torch.save(trained.weights, weights)
    with atomic_path(model) as temporary:
        temporary.write_bytes(weights.getvalue())
    for inputs in MML_INPUTS:
        write_predictions(predictions[inputs], rows, Point(trained.z_phot[inputs][held]))
    settings = {"mml": dict(mml), "magnitudes": magnitudes, "seed": seed}
    write_json(info, settings | _description(data, trained.outcomes) | {"model_sha256": sha256(model)})


def _description(data: Data, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    # What model.json says of the data and of the trainings.
    count = {name: int((data.subset == name).sum()) for name in sorted(set(data.subset))}
    return {
        "n": count,
        "without_spectrum": {name: int((~data.there[data.subset == name]).sum()) for name in count},
        "scalers": {"phot": data.limits._asdict(), "z": data.scale._asdict()},
        "best_epoch": {name: outcome.best_epoch for name, outcome in outcomes.items()},
        "best_val_rmse": {name: outcome.best_val for name, outcome in outcomes.items() if name != "b"},
        "best_val_log_cosh": {"b": outcomes["b"].best_val},
        "epochs_run": {name: outcome.epochs_run for name, outcome in outcomes.items()},
        "device": choose_device().type,
    }
