"""The baseline PhotoRedshift-MML (Hong et al. 2023, MNRAS 518, 5049) on one split: photometry that imagines a spectrum.

Network A estimates z from the spectrum; B learns A's feature of the spectrum from photometry; C estimates z from
photometry and B's feature. Imports only torch, numpy, pandas and pyarrow.
"""

import copy
import io
import logging
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path, sha256, write_json
from crossz.estimates.predictions import dz, write_predictions
from crossz.images.store import OK, ImageStore, read_arrays
from crossz.models import features as ft
from crossz.models.device import choose_device, deterministic
from crossz.models.mml import FEATURES, PHOTOMETRIC, POOL, STEP, SpectrumNet, generator, log_cosh, regressor
from crossz.models.rows import load_rows

log = logging.getLogger(__name__)

INPUTS = ("phot", "phot+spec_gen", "spec")
"""The rows of the baseline in metrics.csv."""
PHOTOMETRIC_PASSES = 3
"""The photometric networks see their inputs so many times as often as A: they are cheap, and their batches few."""

LARGEST_SHIFT = 30
"""Network A is trained on spectra shifted by up to so many of its pixels, 6 % of 1 + z: few spectra, many redshifts."""

Score = Callable[[nn.Module], float]


def load_spectra(paths: Sequence[str | Path], objID: np.ndarray) -> tuple[torch.Tensor, np.ndarray]:
    """Spectra [n, 2, 450] float16 (asinh flux, share of good pixels), averaged over POOL pixels, and whether there is one.

    `paths`: shards that spectra.write_spectra wrote. Rows without a usable spectrum are 0.
    """
    found, there = None, np.zeros(len(objID), bool)
    for path in paths:
        columns = read_arrays(path)
        order = np.argsort(columns["objID"])
        known = columns["objID"][order]
        if not len(known):
            continue
        place = np.minimum(np.searchsorted(known, objID), len(known) - 1)
        here = np.flatnonzero((known[place] == objID) & (columns["status"][order[place]] == OK))
        source = order[place[here]]
        there[here] = True
        if found is None:
            found = np.zeros((len(objID), 2, columns["flux"].shape[1] // POOL), np.float16)
        for start in range(0, len(here), 4096):
            some = slice(start, start + 4096)
            flux = columns["flux"][source[some]].astype(np.float32)
            ok = np.unpackbits(columns["ok"][source[some]], axis=1)
            for channel, pixels in enumerate((flux, ok)):
                pooled = pixels.reshape(len(pixels), -1, POOL).mean(2)
                found[here[some], channel] = np.arcsinh(pooled) if channel == 0 else pooled
    if found is None:
        raise CrosszError("there is no object in the spectra of this run; rerun -R spectra")
    return torch.from_numpy(found), there


def photometric_inputs(rows: pd.DataFrame, magnitudes: str) -> np.ndarray:
    """The 15 inputs [n, 15]: magnitudes, u-g, g-r, r-i, i-z, u-z, log10 errors; NaN where missing.

    Errors are logarithmic as in all our models: a single large one would otherwise set the scale of all.
    """
    phot = ft.photometry(rows, magnitudes)
    return np.concatenate([phot.mag, phot.colour, phot.mag[:, :1] - phot.mag[:, 4:], np.log10(phot.err)], axis=1)


def fit_range(values: np.ndarray) -> dict[str, list]:
    """Smallest and largest value of each input, and the median that stands for a missing one, NaN left aside.

    Smallest and largest but for a thousandth at each end, so that no single outlier of many sets the scale.
    """
    filled = np.where(np.isfinite(values).any(axis=0), values, 0.0)
    low, middle, high = np.nanpercentile(filled, [0.1, 50, 99.9], axis=0)
    return {"low": low.tolist(), "middle": middle.tolist(), "high": np.maximum(high, low + 1e-6).tolist()}


def apply_range(scaler: dict[str, list], values: np.ndarray) -> torch.Tensor:
    """Inputs [n, 15] float32 between -1 (smallest) and 1 (largest of the training part)."""
    low, middle, high = (np.asarray(scaler[name]) for name in ("low", "middle", "high"))
    filled = np.where(np.isfinite(values), values, middle)
    return torch.from_numpy(np.clip(2 * (filled - low) / (high - low) - 1, -1, 1).astype(np.float32))


@torch.no_grad()
def applied(function: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    """`function` of `inputs`, 1,024 rows at a time, on the processor."""
    device = choose_device()
    return torch.cat([function(some.to(device).float()).cpu() for some in inputs.split(1024)])


def shifted(spectrum: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Spectra [n, 2, p], each moved by `pixels` [n] int64 to the red; what comes in at an end repeats it and is not good.

    A quasar at another redshift has its spectrum shifted in log wavelength: by POOL * STEP * ln 10 in ln(1 + z) a pixel.
    """
    size = spectrum.shape[2]
    source = torch.arange(size, device=spectrum.device) - pixels.to(spectrum.device)[:, None]
    moved = spectrum.gather(2, source.clamp(0, size - 1)[:, None].expand_as(spectrum))
    moved[:, 1] *= (source >= 0) & (source < size)
    return moved


def fit(
    net: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    loss: Callable,
    score: Score,
    name: str,
    epochs: int,
    mml: dict,
    shift: float = 0.0,
) -> dict:
    """Train `net` from `x` to `y` with Adam, keep the epoch of the smallest `score` (of the validation part).

    `shift`: what a pixel adds to `y` when x are spectra that are trained under random shifts, 0 where they are not.
    """
    device = choose_device()
    net.to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=mml["learning_rate"], fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    best, best_epoch, weights = math.inf, 0, {}
    started = printed = time.monotonic()
    for epoch in range(epochs):
        net.train()
        for some in torch.randperm(len(x)).chunk(math.ceil(len(x) / mml["batch_size"])):
            inputs, wanted = x[some].to(device).float(), y[some]
            if shift:
                pixels = torch.randint(-LARGEST_SHIFT, LARGEST_SHIFT + 1, (len(some),))
                inputs, wanted = shifted(inputs, pixels), wanted + shift * pixels
            optimizer.zero_grad(set_to_none=True)
            loss(net(inputs), wanted.to(device)).backward()
            optimizer.step()
        schedule.step()
        net.eval()
        value = score(net)
        if value < best:
            best, best_epoch, weights = value, epoch, copy.deepcopy(net.state_dict())
        now = time.monotonic()
        if now - printed > 5 or epoch + 1 == epochs:
            printed = now
            left = (now - started) / (epoch + 1) * (epochs - epoch - 1)
            log.info(f"{name}: epoch {epoch + 1}/{epochs}  val {value:.4f} (best {best:.4f})  {left:.0f} s left")
    if not weights:
        raise CrosszError(f"{name}: training diverged; lower mml.learning_rate")
    net.load_state_dict(weights)
    net.eval()
    return {"best_epoch": best_epoch, "best_val": best, "epochs_run": epochs}


class Data(NamedTuple):
    """The rows of one split as the networks see them, all parts; scalers are fitted on the training part."""

    z: np.ndarray  # [n] spectroscopic redshift
    subset: np.ndarray  # [n] train, val or test
    spectra: torch.Tensor  # [n, 2, p] float16, see load_spectra
    there: np.ndarray  # [n] bool, whether there is a spectrum
    phot: torch.Tensor  # [n, 15] scaled
    target: torch.Tensor  # [n] scaled log1p(z)
    scalers: dict

    def redshift(self, net: nn.Module, x: torch.Tensor) -> np.ndarray:
        """z_phot [n] that `net` estimates from `x`."""
        scale = self.scalers["z"]
        return np.expm1(applied(net, x).numpy().astype(float) * scale["width"] + scale["centre"])

    def rmse(self, x: torch.Tensor, of: np.ndarray) -> Score:
        """The score of a network that estimates z from `x`: RMSE of dz of the rows `of` [n] bool."""
        return lambda net: float(np.sqrt(np.mean(dz(self.redshift(net, x[of]), self.z[of]) ** 2)))


def prepare(rows: pd.DataFrame, spectra_paths: Sequence[str | Path], magnitudes: str) -> Data:
    """The data of `rows` (samples.load_rows). Raises CrosszError when train or val has no spectrum."""
    z, subset = rows["z"].to_numpy(), rows["subset"].to_numpy()
    train = subset == "train"
    spectra, there = load_spectra(spectra_paths, rows["objID"].to_numpy())
    for name in ("train", "val"):
        if not there[subset == name].any():
            raise CrosszError(f"no object of part {name} has a spectrum; set mml.run: false")
    inputs, log1p = photometric_inputs(rows, magnitudes), np.log1p(z)
    scale = {"centre": float(log1p[train].mean()), "width": float(max(log1p[train].std(), 1e-6))}
    scalers = {"phot": fit_range(inputs[train]), "z": scale}
    target = torch.from_numpy(((log1p - scale["centre"]) / scale["width"]).astype(np.float32))
    return Data(z, subset, spectra, there, apply_range(scalers["phot"], inputs), target, scalers)


def train_networks(data: Data, mml: dict) -> tuple[dict, dict[str, np.ndarray], dict[str, dict]]:
    """Train A, B, C and the photometric network: their weights, z_phot [n] of all rows by INPUTS, and how each was fitted."""
    l1, often = nn.functional.l1_loss, PHOTOMETRIC_PASSES * mml["epochs"]
    train, val = data.subset == "train", data.subset == "val"
    seen, judged = train & data.there, val & data.there
    fits = {}

    a = SpectrumNet(data.spectra.shape[2])
    score, shift = data.rmse(data.spectra, judged), POOL * STEP * math.log(10) / data.scalers["z"]["width"]
    fits["a"] = fit(a, data.spectra[seen], data.target[seen], l1, score, "A, spectrum", mml["epochs"], mml, shift)

    feature = applied(a.features, data.spectra)
    mean, spread = feature[seen].mean(0), feature[seen].std(0, correction=0).clamp_min(1e-6)
    feature = (feature - mean) / spread
    b = generator()
    fits["b"] = fit(
        b, data.phot[seen], feature[seen], log_cosh,
        lambda net: float(log_cosh(applied(net, data.phot[judged]), feature[judged])), "B, feature", often, mml,
    )  # fmt: skip

    both = torch.cat([data.phot, applied(b, data.phot)], 1)
    c, plain = regressor(PHOTOMETRIC + FEATURES), regressor(PHOTOMETRIC)
    for key, net, x, name in (("c", c, both, "C, photometry and feature"), ("phot", plain, data.phot, "photometry")):
        fits[key] = fit(net, x[train], data.target[train], l1, data.rmse(x, val), name, often, mml)

    z_phot = {"phot": data.redshift(plain, data.phot), "phot+spec_gen": data.redshift(c, both)}
    z_phot["spec"] = np.where(data.there, data.redshift(a, data.spectra), z_phot["phot+spec_gen"])
    weights = {name: net.cpu().state_dict() for name, net in (("a", a), ("b", b), ("c", c), ("phot", plain))}
    return weights | {"feature": {"mean": mean, "spread": spread}}, z_phot, fits


@torch.random.fork_rng()  # PyTorch's layers know only its global generator: seeded in here, as it was outside
def write_mml(
    catalog_path: str | Path,
    split_path: str | Path,
    index_path: str | Path,
    spectra_paths: Sequence[str | Path],
    model_path: str | Path,
    info_path: str | Path,
    prediction_paths: dict[str, str | Path],
    *,
    mml: dict,
    magnitudes: str,
    seed: int,
    threads: int = 1,
) -> None:
    """Train the networks on one split; write weights, what they were made with, and val and test predictions of INPUTS.

    `mml`: the configuration's block. The rows are those of every other model (samples.load_rows): an object without a
    spectrum trains neither A nor B, and its `spec` estimate is that of `phot+spec_gen`; both are counted. Epochs are
    chosen on the validation part, test rows are predicted once. Raises CrosszError when train or val has no spectrum.
    """
    deterministic(threads)
    torch.manual_seed(seed)
    rows = load_rows(catalog_path, split_path, ImageStore(index_path, []))
    data = prepare(rows, spectra_paths, magnitudes)
    trained, z_phot, fits = train_networks(data, mml)
    weights = io.BytesIO()  # torch.save writes a file's name into it, and a temporary name differs from run to run
    torch.save(trained, weights)
    with atomic_path(model_path) as temporary:
        temporary.write_bytes(weights.getvalue())
    held = data.subset != "train"
    for inputs, path in prediction_paths.items():
        write_predictions(path, pd.DataFrame(rows[held]), z_phot[inputs][held])
    count = {name: int((data.subset == name).sum()) for name in sorted(set(data.subset))}
    info = {
        "mml": mml,
        "magnitudes": magnitudes,
        "seed": seed,
        "n": count,
        "without_spectrum": {name: int((~data.there[data.subset == name]).sum()) for name in count},
        "scalers": data.scalers,
        "best_epoch": {name: outcome["best_epoch"] for name, outcome in fits.items()},
        "best_val_rmse": {name: outcome["best_val"] for name, outcome in fits.items() if name != "b"},
        "best_val_log_cosh": {"b": fits["b"]["best_val"]},
        "epochs_run": {name: outcome["epochs_run"] for name, outcome in fits.items()},
        "device": choose_device().type,
    }
    write_json(info_path, info | {"model_sha256": sha256(model_path)})
