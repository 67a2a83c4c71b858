"""Training and evaluation of the cross-modal network: one loop, validation-chosen checkpoint, resume after a kill.

Imports only torch, numpy, pandas and pyarrow: it runs on a GPU machine that has nothing else.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from crossz.core.names import BANDS
from crossz.estimates import classes
from crossz.images.store import ImageStore
from crossz.models import backbones
from crossz.models import features as ft

RESIDENT_BYTES = 2 << 30
"""Images up to this size are gathered once and stay in memory; on a GPU, up to half of its free memory."""


Fetch = Callable[[torch.Tensor], torch.Tensor]


def image_source(store: ImageStore, rows: np.ndarray, sky_noise: list[float], device: torch.device) -> Fetch:
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
    x_colour: torch.Tensor  # [n, 4 + 2 k] scaled; k extra columns of the catalog
    target: torch.Tensor  # [n] scaled log1p(z) or z; labels, int64
    extinction: torch.Tensor  # [n, 5] scaled
    fetch: Fetch | None  # None: a network of photometry alone reads no image


def load_part(rows: pd.DataFrame, store: ImageStore, info: dict, device: torch.device) -> Part:
    """The `rows` of one part under the scalers of `info`."""
    scalers = info["scalers"]
    phot = ft.photometry(rows, info["magnitudes"], info.get("columns", ()))
    x_mag, x_colour = ft.tokens(phot)
    if "classes" in info:
        truth = target = classes.labels(rows, info["classes"])
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
    train: pd.DataFrame, store: ImageStore, magnitudes: str, crossmodal: dict, columns: Sequence[str] = ()
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
    image: torch.Tensor, first: int = 0, batch: int | None = None, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Images [n, 5, y, x], each quarter of their batch under a random quarter turn and flip: the sky has no up.

    They are objects `first`, `first` + 1, ... of a batch of `batch` (default: all of it): who shares a batch turns each image alike.
    """
    parts, quarter = [], math.ceil((batch or len(image)) / 4)
    for begin in range(-first, (batch or len(image)) - first, quarter):
        turns, flip = torch.randint(4, (2,), generator=generator).tolist()
        part = image[max(begin, 0) : max(begin + quarter, 0)]
        if turns % 2:
            part = part.transpose(2, 3)
        axes = [2] * (turns in (1, 2)) + [3] * ((turns in (2, 3)) != flip % 2)
        parts.append(part.flip(axes) if axes else part)  # one copy for a turn and a flip
    return torch.cat(parts)


def inputs_of(
    part: Part, positions: torch.Tensor, z_patterns: str, turned: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> tuple[torch.Tensor | None, ...]:
    """X_mag, X_colour and image of the rows `positions` of `part`; a network of one modality is shown nothing of the other."""
    phot = (None, None) if z_patterns == "img" else (part.x_mag[positions], part.x_colour[positions])
    if z_patterns == "phot":
        return *phot, None
    image = part.fetch(positions)
    return *phot, (turned(image) if turned else image).float()  # half the bytes to turn
