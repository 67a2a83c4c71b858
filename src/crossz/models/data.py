"""What the networks read: rows of a split, or new objects, as scaled tensors on the device, and their images."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
import torch

from crossz.core.constants import BANDS
from crossz.estimates import classes
from crossz.models import backbones
from crossz.models import features as ft
from crossz.models.info import ModelInfo

RESIDENT_BYTES = 2 << 30
"""Images up to this size are gathered once and stay in a computer's memory; on a GPU, free memory decides (`_room`)."""
IMAGE_BYTES = 2 * len(BANDS) * backbones.IMAGE_SIZE**2
"""Of an image in memory: float16."""
ROWS_AT_ONCE = 512
"""Objects whose images are gathered together, or that go through a network together."""

Fetch = Callable[[torch.Tensor], torch.Tensor]
"""Images of positions [b]: float16 [b, 5, 64, 64], stretched."""


class Pixels(Protocol):
    """What images are read from: the store, or arrays in memory."""

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images [n, 5, 64, 64] float16 in store units and masks [n, 64, 64] uint8 of `rows`."""


class Inputs(NamedTuple):
    """What a network reads of n objects, on the device."""

    x_mag: torch.Tensor
    """[n, 5, 3] float32, scaled."""
    x_colour: torch.Tensor
    """[n, `ModelInfo.colour_count`] float32, scaled."""
    fetch: Fetch | None
    """Their images; None where there are none to read."""
    resident: bool = True
    """Whether the images are on the device already; others are read with positions on the processor."""


class Part(NamedTuple):
    """The rows of one part of a split, on the device: what a network reads of them, and what it learns."""

    objID: np.ndarray
    """[n] int64."""
    truth: np.ndarray
    """[n] spectroscopic redshift; of classification the label of the class."""
    inputs: Inputs
    target: torch.Tensor
    """[n] scaled log1p(z) or z; labels, int64."""
    extinction: torch.Tensor
    """[n, 5] scaled; NaN where it is unknown, and then it is not learnt."""


def image_source(
    pixels: Pixels, rows: np.ndarray, sky_noise: list[float], device: torch.device, reserve: int | None = None
) -> tuple[Fetch, bool]:
    """A function from positions in `rows` to stretched images [b, 5, 64, 64] float16 on `device`; whether they are resident.

    Images that fit (RESIDENT_BYTES) are gathered and stretched once; others batch by batch. Both are rounded to float16,
    so that which of the two a memory allows does not change a result.

    Parameters
    ----------
    pixels
        Where images are read.
    rows
        [n] row of each object's image in `pixels`; -1 without one, and then that object must not be asked for.
    sky_noise
        [5] softening of the stretch, in store units.
    device
        Where the images go.
    reserve
        Bytes of a card's memory to leave free for other things; default: half of what is free.
    """

    def load(batch: np.ndarray) -> torch.Tensor:
        image, mask = (_sent(array, device) for array in pixels.gather(batch))
        return backbones.stretched(image, mask, sky_noise).half().contiguous(memory_format=torch.channels_last)

    known = rows[rows >= 0]
    shape = (len(known), len(BANDS), backbones.IMAGE_SIZE, backbones.IMAGE_SIZE)
    if len(known) * IMAGE_BYTES > _room(device, reserve):
        return (lambda positions: load(rows[positions.cpu().numpy()])), False
    resident = torch.empty(shape, dtype=torch.float16, device=device, memory_format=torch.channels_last)
    for begin in range(0, len(known), ROWS_AT_ONCE):  # into slices, in place: an index of rows would copy all images
        some = slice(begin, begin + ROWS_AT_ONCE)
        resident[some].copy_(load(known[some]))
    if len(known) == len(rows):
        return (lambda positions: resident[positions]), True
    place = torch.from_numpy(np.cumsum(rows >= 0) - 1).to(device)
    return (lambda positions: resident[place[positions]]), True


def _sent(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """`array` on `device`, without waiting for a card."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def ahead(inputs: Inputs, batches: Sequence[torch.Tensor]) -> Iterator[Inputs]:
    """`inputs` once for each of `batches`, to be asked for the images of that batch.

    A thread reads what is not resident, one batch ahead, while the device computes.

    Parameters
    ----------
    inputs
        Of n objects.
    batches
        Positions [b] int64 of each batch, on the processor: from the device they would come after all that it has to do.
    """
    if inputs.fetch is None or inputs.resident:
        for _ in batches:
            yield inputs
        return
    device = inputs.x_mag.device  # a new thread would take the first card
    begin = functools.partial(torch.cuda.set_device, device) if device.type == "cuda" else None
    with ThreadPoolExecutor(1, initializer=begin) as reader:
        coming = reader.submit(inputs.fetch, batches[0])
        for following in (*batches[1:], None):
            images = coming.result()
            if following is not None:
                coming = reader.submit(inputs.fetch, following)
            yield inputs._replace(fetch=functools.partial(_already, images))


def _room(device: torch.device, reserve: int | None) -> int:
    """Bytes that images may take on `device`."""
    if device.type == "cpu":
        return RESIDENT_BYTES
    free = int(torch.cuda.mem_get_info(device)[0])
    return free // 2 if reserve is None else free - reserve


def model_inputs(
    phot: ft.Photometry,
    pixels: Pixels | None,
    rows: np.ndarray | None,
    info: ModelInfo,
    device: torch.device,
    reserve: int | None = None,
) -> Inputs:
    """What the networks of `info` read of n objects: photometry `phot`, and images of `pixels` at `rows` [n] (-1: none).

    `reserve`: as in `image_source`.
    """
    x_mag, x_colour = (
        torch.from_numpy(ft.apply_scaler(info.scalers[name], values)).to(device)
        for name, values in zip(("x_mag", "x_colour"), ft.tokens(phot, info.features), strict=True)
    )
    fetch, resident = None, True
    if info.sees_images and pixels is not None and rows is not None and (rows >= 0).any():
        fetch, resident = image_source(pixels, rows, info.sky_noise, device, reserve)
    return Inputs(x_mag, x_colour, fetch, resident)


def load_part(
    rows: pd.DataFrame,
    pixels: Pixels,
    info: ModelInfo,
    device: torch.device,
    reserve: int | None = None,
    complete: bool = True,
) -> Part:
    """The catalog `rows` of one part, each with its `row` in `pixels`, under the scalers of `info`.

    `reserve`: as in `image_source`; `complete`: as in `features.photometry`.
    """
    phot = ft.photometry(rows, info.magnitudes, info.columns, complete)
    if info.classes:
        truth = target = classes.labels(rows, info.classes)
    else:
        truth, scale = rows["z"].to_numpy(), info.scalers["z"]
        target = target_of(truth, info.crossmodal["target"])
        target = ((target - scale["centre"]) / scale["width"]).astype(np.float32)
    scaled = ft.apply_scaler(info.scalers["extinction"], phot.extinction)
    extinction = np.where(np.isnan(phot.extinction), np.float32(np.nan), scaled)
    return Part(
        rows["objID"].to_numpy(),
        truth,
        model_inputs(phot, pixels, rows["row"].to_numpy(), info, device, reserve),
        torch.from_numpy(target).to(device),
        torch.from_numpy(extinction).to(device),
    )


def target_of(z: np.ndarray, kind: str) -> np.ndarray:
    """What the redshift head predicts: log1p(z) or z itself."""
    return np.log1p(z) if kind == "log1p" else np.asarray(z, float)


def redshift_of(target: np.ndarray, kind: str) -> np.ndarray:
    """The inverse of `target_of`."""
    return np.expm1(target) if kind == "log1p" else target


def fit_scalers(train: pd.DataFrame, pixels: Pixels, info: ModelInfo) -> dict[str, Any]:
    """Everything that is fitted before a training, on the training part alone: `ModelInfo.scalers`."""
    phot = ft.photometry(train, info.magnitudes, info.columns)
    x_mag, x_colour = ft.tokens(phot, info.features)
    z = target_of(train["z"].to_numpy(), info.crossmodal["target"])
    sample = train["row"].to_numpy()[:: max(1, len(train) // 1000)]
    images = {"sky_noise": ft.sky_noise(*pixels.gather(sample))} if info.sees_images else {}
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

    One gather of pixels, whose bands lie together in memory before and after it.

    Parameters
    ----------
    image
        Objects `first`, `first` + 1, ... of a batch.
    first, batch
        Place of the first of them, and size of the batch (default: these images are all of it). So each process that has a
        share of a batch turns its images as one process would.
    generator
        Of the random numbers; default: that of torch.
    """
    count, size = batch or len(image), image.shape[2]
    quarter = math.ceil(count / 4)
    drawn = torch.randint(4, (math.ceil(count / quarter), 2), generator=generator)
    kinds = (2 * drawn[:, 0] + drawn[:, 1] % 2).repeat_interleave(quarter)[first : first + len(image)]
    kinds = kinds.to(image.device, non_blocking=True)
    begins = size**2 * torch.arange(len(image), device=image.device, dtype=torch.int32)
    pixels = _turns(size, image.device)[kinds] + begins[:, None]
    turned = image.permute(0, 2, 3, 1).reshape(-1, image.shape[1]).index_select(0, pixels.flatten())
    return turned.view(len(image), size, size, image.shape[1]).permute(0, 3, 1, 2)


def _already(images: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    return images


@functools.cache
def _turns(size: int, device: torch.device) -> torch.Tensor:
    """Which pixel [8, y x] of an image of `size` pixels a side each pixel comes from, under quarter turns and flips."""
    kinds = []
    for kind in range(8):
        turns, flip = divmod(kind, 2)
        image = torch.arange(size**2, dtype=torch.int32).view(size, size)
        image = image.T if turns % 2 else image
        kinds.append(image.flip([0] * (turns in (1, 2)) + [1] * ((turns in (2, 3)) != flip)).flatten())
    return torch.stack(kinds).to(device)
