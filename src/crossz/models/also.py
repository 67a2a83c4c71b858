"""Rows beside the dataset's own (catalog.also): each trains the losses that it can."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from crossz.images.store import ImageStore
from crossz.models import distributed
from crossz.models import features as ft
from crossz.models.crossmodal import Beside
from crossz.models.data import Part, augmented, load_part
from crossz.models.inference import network_inputs
from crossz.models.info import ModelInfo

log = logging.getLogger(__name__)

_LEAST = 2  # rows: BatchNorm needs so many


class Kind(NamedTuple):
    """Rows that have the same data, and so train the same losses."""

    part: Part
    phot: bool
    """Whether they have photometry that the network reads."""
    img: bool
    """Whether they have images that the network reads."""
    patterns: tuple[str, ...]
    """The input patterns whose redshift they train; none of rows without a redshift."""


def load_also(
    paths: Sequence[str | Path], rows: pd.DataFrame, store: ImageStore, info: ModelInfo, device: torch.device
) -> tuple[Kind, ...]:
    """The rows of files that may train beside those of a split, by what they have.

    Rows of objects in the validation or test part are left out, and rows that train nothing.

    Parameters
    ----------
    paths
        What `catalog.also.write_also` wrote.
    rows
        The rows of the split (`rows.load_rows`).
    store
        Images.
    info
        The networks, with scalers.
    device
        Where the networks compute.
    """
    if not paths:
        return ()
    held = rows.loc[rows["subset"] != "train", "group"].unique()
    kinds = []
    for path in paths:
        table = pd.read_parquet(path)
        table = table.assign(**{name: np.nan for name in info.columns if name not in table})
        table = table[~table["group"].isin(held)].assign(row=lambda left: store.rows(left["objID"].to_numpy()))
        there = ~ft.photometry(table, info.magnitudes, info.columns, complete=False).missing.all(1)
        phot, img = there & info.sees_photometry, (table["row"] >= 0).to_numpy() & info.sees_images
        known = np.isfinite(table["z"].to_numpy())
        for number in range(8):
            kind = tuple(bool(number >> bit & 1) for bit in range(3))
            here = (phot == kind[0]) & (img == kind[1]) & (known == kind[2])
            patterns = trained_patterns(info, kind[0], kind[1]) if kind[2] else ()
            if here.sum() >= _LEAST and (patterns or (kind[1] and info.sees_photometry)):
                part = load_part(table[here], store, info, device, complete=False)
                kinds.append(Kind(part, kind[0], kind[1], patterns))
                log.info(f"{path}: {here.sum():,} rows train {', '.join(patterns) or 'no redshift'} beside the dataset")
            elif here.any():
                log.info(f"{path}: {here.sum():,} rows lack what the network learns from, and are not used")
    return tuple(kinds)


def trained_patterns(info: ModelInfo, phot: bool, img: bool) -> tuple[str, ...]:
    """The trained input patterns that need no more than photometry, an image, or both."""
    needs = {"phot_gen+img": (False, True), "phot+img_gen": (True, False), "phot": (True, False), "img": (False, True)}
    return tuple(
        name
        for name in info.trained_inputs
        if (phot, img) == (True, True) or needs.get(name, (True, True)) == (phot, img)
    )


def orders(kinds: Sequence[Kind], batches: int) -> list[tuple[torch.Tensor, ...]]:
    """For each kind its rows in a random order, in as many batches as the dataset has."""
    return [torch.randperm(len(kind.part.truth)).tensor_split(batches) for kind in kinds]


def beside(kinds: Sequence[Kind], places: Sequence[torch.Tensor], info: ModelInfo) -> list[Beside]:
    """What one step trains on beside the batch of the dataset: `places` are rows of each kind."""
    total = sum(len(kind.part.truth) for kind in kinds)
    found = []
    for kind, rows in zip(kinds, places, strict=True):
        positions = rows[distributed.share(len(rows))].to(kind.part.target.device)
        if len(positions) < _LEAST:
            continue
        turn = augmented if info.train["augment"] else None
        needs = info.inputs if kind.img else ("phot+img_gen",)
        x_mag, x_colour, image = network_inputs(kind.part.inputs, positions, info, needs, turn)
        inputs = (x_mag, x_colour, image) if kind.phot else (None, None, image)
        weight = len(kind.part.truth) / total
        found.append(
            Beside(inputs, kind.part.target[positions], kind.part.extinction[positions], kind.patterns, weight)
        )
    return found
