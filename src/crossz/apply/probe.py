"""What networks say of four made-up objects: it tells whether weights and settings mean the same to this code."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from crossz.core.constants import BANDS
from crossz.models.data import load_part
from crossz.models.inference import Networks, estimate

OBJECTS = 4
"""The third lies at the edge of a frame, the fourth lacks its u magnitude."""


class _Pixels(NamedTuple):
    image: np.ndarray
    mask: np.ndarray

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.image[rows], self.mask[rows]


def probe(networks: Networks) -> dict[str, dict[str, list]]:
    """The answers of `networks` for the made-up objects, by input pattern (`Estimate.summary`), recalibrated."""
    info = networks.info
    rows, pixels = _objects(info.columns, info.classes)
    part = load_part(rows, pixels, info, torch.device("cpu"))
    answers = estimate(networks, part.inputs, info.inputs)
    return {inputs: answer.summary() for inputs, answer in answers.items()}


def largest_difference(answer: dict[str, list], expected: dict[str, list]) -> float:
    """The largest difference between two summaries of one input pattern."""
    return max(float(np.max(np.abs(np.subtract(answer[name], expected[name])))) for name in answer | expected)


def _objects(extra_columns: tuple[str, ...], classes: tuple[str, ...]) -> tuple[pd.DataFrame, _Pixels]:
    rng = np.random.default_rng(0)
    mag = rng.uniform(18.5, 21.0, OBJECTS)[:, None] + rng.uniform(-0.3, 0.3, (OBJECTS, len(BANDS)))
    number = np.arange(OBJECTS)
    columns: dict[str, Any] = {
        "objID": number,
        "row": number,
        "z": np.full(OBJECTS, 2.0),
        "class": (classes or ("",))[0],
    }
    for band, values in zip(BANDS, mag.T, strict=True):
        columns |= {
            f"dered_{band}": values.copy(),
            f"psfMag_{band}": values + 0.1,
            f"psfMagErr_{band}": np.full(OBJECTS, 0.04),
            f"extinction_{band}": np.full(OBJECTS, 0.1),
        }
    columns |= {name: rng.uniform(14.0, 18.0, OBJECTS) for name in extra_columns}
    r2 = ((np.mgrid[:64, :64] - 31.7) ** 2).sum(0)
    columns["dered_u"][3] = columns["psfMag_u"][3] = np.nan
    mag[3, 0] = 22.0  # of its image
    flux = 16 * 10 ** (0.4 * (22.5 - mag))
    image = (flux[:, :, None, None] * np.exp(-r2 / 5) / (5 * np.pi)).astype(np.float16)
    mask = np.zeros((OBJECTS, 64, 64), np.uint8)
    mask[2, :, 60:] = 1
    return pd.DataFrame(columns), _Pixels(image, mask)
