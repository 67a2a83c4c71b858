"""Redshifts of objects that have none: the networks of all splits on what there is of each object, their PDFs as one."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from crossz.apply import bundle
from crossz.catalog.readers import read_table
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.core.names import BANDS
from crossz.estimates import classes, pdf
from crossz.estimates.predictions import mixture_columns
from crossz.images.store import ImageStore
from crossz.models import features as ft
from crossz.models.crossmodal import CrossModal
from crossz.models.data import Fetch, image_source
from crossz.models.device import choose_device, deterministic
from crossz.models.inference import load_networks, predict_new

log = logging.getLogger(__name__)

SHARES = (0.68, 0.95)
"""Probabilities of the central intervals of z that are written."""
FAINT = 22.0
"""g magnitude beyond which an object is flagged faint: where the paper's samples end."""
OK, NO_DATA = "ok", "no_data"
_PLACE = ("objID", "specObjID", "ra", "dec", "separation_arcsec", "duplicate_of")
_TEXT = ("class", "run2d", "status", "why")


class Images(NamedTuple):
    """Cutouts of targets: row [n] of each in the store, -1 without one; image [n]: its status, "" where none was sought."""

    store: ImageStore
    row: np.ndarray
    image: np.ndarray


def images_of(objID: pd.Series, index_path: str | Path, shard_paths: Sequence[str | Path]) -> Images:
    """The images of targets by their objID (null: no image), from shards and their index (shards.write_index)."""
    store = ImageStore(index_path, shard_paths)
    known = objID.fillna(-1).to_numpy(np.int64)
    status = pd.read_parquet(index_path).set_index("objID")["status"]
    return Images(store, store.rows(known), status.reindex(known).fillna("").to_numpy(str))


def photometry_of(targets: pd.DataFrame, magnitudes: str, columns: Sequence[str] = ()) -> ft.Photometry:
    """Photometry of new objects: what is no number counts as missing, and extinctions are needed for psfMag alone.

    Raises CrosszError when a column is absent or, in a table that the user brought, holds no number at all.
    """
    numbers = targets.drop(columns=[name for name in (*_PLACE, *_TEXT) if name in targets])
    numbers = numbers.apply(pd.to_numeric, errors="coerce")
    unused = {f"extinction_{band}": 0.0 for band in BANDS if f"extinction_{band}" not in numbers}
    numbers = numbers.assign(**unused) if magnitudes == "dered_model" else numbers
    if "status" in targets:  # matched: what the archive was not asked for is missing
        numbers = numbers.assign(**{name: np.nan for name in columns if name not in numbers})
    return ft.photometry(numbers, magnitudes, columns, complete="status" not in targets)


def redshifts(
    targets: pd.DataFrame, ensemble: Sequence[tuple[list[CrossModal], dict]], images: Images | None = None
) -> pd.DataFrame:
    """A row for each row of `targets`, in their order, by the networks of all splits: their PDFs are averaged.

    `ensemble`: what training.load_networks gives of each split. Columns: row; objID, specObjID, ra, dec, separation_arcsec, duplicate_of
    where the targets have them; status: ok, no_data (no band with a magnitude and an error, and no image), or what the targets' own
    column of that name says (targets.match), and why; inputs: phot+img, or phot+img_gen, phot_gen+img where features are generated
    for what is missing; missing: letters of bands without photometry; image: status of the image; edge: no frame covers a part of it;
    out_of_domain: a feature beyond all that the networks have seen, not to be trusted; faint: g > FAINT. Then z_phot, from the mean of
    ln(1 + z), z_median, z_low_68 and so on, the PDF and its two highest peaks (samples.mixture_columns), which networks with a
    point head do not have; NaN unless status is ok. Networks of classes: class_phot and p_{class} instead.
    Raises CrosszError when the targets lack a column.
    """
    image = np.full(len(targets), "") if images is None else images.image
    has_image = np.zeros(len(targets), bool) if images is None else images.row >= 0
    given = targets["status"].to_numpy(str) if "status" in targets else np.full(len(targets), OK)
    estimates, outside = [], np.zeros(len(targets), bool)
    for nets, info in ensemble:
        phot = photometry_of(targets, info["magnitudes"], info.get("columns", ()))
        noise = info["scalers"].get("sky_noise")
        seen = has_image & (noise is not None)
        fetch = _fetch(images, seen, noise, next(nets[0].parameters()).device) if seen.any() else None
        inputs, estimate = predict_new(nets, info, phot, fetch, seen)
        estimates.append(estimate)
        for name, values in zip(("x_mag", "x_colour"), ft.tokens(phot), strict=True):
            outside |= ft.out_of_domain(info["scalers"][name], values)
    known = inputs != ""
    columns = {"row": np.arange(len(targets))} | {name: targets[name] for name in _PLACE if name in targets}
    columns["status"] = np.where((given == OK) & ~known, NO_DATA, given)
    if "why" in targets:
        columns["why"] = targets["why"]
    columns |= {
        "inputs": inputs,
        "missing": ["".join(band for band, gone in zip(BANDS, row, strict=True) if gone) for row in phot.missing],
        "image": image,
        "edge": _at_edge(images, has_image),
        "out_of_domain": known & outside,
        "faint": phot.mag[:, BANDS.index("g")] > FAINT,
    }
    if estimates[0].probability is not None:
        found = classes.columns(np.mean([estimate.probability for estimate in estimates], axis=0), info["classes"])
    elif estimates[0].pdf is None:
        found = {"z_phot": np.mean([estimate.z_phot for estimate in estimates], axis=0)}
    else:
        mixtures = pdf.ensemble([estimate.pdf for estimate in estimates])
        found = {"z_phot": np.expm1(pdf.mean(mixtures)), "z_median": pdf.interval(mixtures, 0.0)[0]}
        for share in SHARES:
            names = (f"z_low_{100 * share:.0f}", f"z_high_{100 * share:.0f}")
            found |= dict(zip(names, pdf.interval(mixtures, share), strict=True))
        found |= mixture_columns(mixtures)
    return pd.DataFrame(columns | {name: np.where(known, values, np.nan) for name, values in found.items()})


def _fetch(images: Images, seen: np.ndarray, noise: list[float], device: torch.device) -> Fetch:
    """Images by position among all targets, of those that are `seen`."""
    source, place = image_source(images.store, images.row[seen], noise, device), np.cumsum(seen) - 1
    return lambda positions: source(place[positions])


def _at_edge(images: Images | None, has_image: np.ndarray) -> np.ndarray:
    edge = np.zeros(len(has_image), bool)
    for some in np.array_split(np.flatnonzero(has_image), has_image.sum() // 4096 + 1):
        if len(some):
            edge[some] = images.store.gather(images.row[some])[1].any((1, 2))
    return edge


def load_ensemble(paths: Sequence[str | Path]) -> list[tuple[list[CrossModal], dict]]:
    """The networks of all splits, of one bundle (`paths` is its folder alone), or of model.pt and model.json of each split in turn."""
    if len(paths) == 1:
        return bundle.load(paths[0], choose_device())
    return [load_networks(*pair, choose_device()) for pair in zip(paths[::2], paths[1::2], strict=True)]


def write_redshifts(
    targets_path: str | Path,
    mapped: dict[str, str],
    ensemble_paths: Sequence[str | Path],
    path: str | Path,
    image_paths: Sequence[str | Path] = (),
    threads: int = 1,
) -> None:
    """Write `redshifts` of the rows of a table of photometry, or of what targets.match made of positions.

    `mapped`: our column's name to the table's. `ensemble_paths`: as load_ensemble takes them. `image_paths`, for matched targets: the index of their images, and the shards.
    """
    begun = time.monotonic()
    deterministic(threads)
    networks = load_ensemble(ensemble_paths)
    if not image_paths:
        extra_columns = networks[0][1].get("columns", ())
        targets, images = read_table(targets_path, mapped, extra_columns).to_pandas(), None
    else:
        targets = pd.read_parquet(targets_path)
        images = images_of(targets["objID"], image_paths[0], image_paths[1:])
    try:
        table = redshifts(targets, networks, images)
    except CrosszError as error:
        raise CrosszError(f"{targets_path}: {error}") from error
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
    log.info(f"{summary(table)}; {time.monotonic() - begun:.1f} s")


def summary(table: pd.DataFrame) -> str:
    """One line: how many targets, what became of them, from which inputs, how many are flagged."""
    status = ", ".join(f"{name} {count:,}" for name, count in table["status"].value_counts().items())
    inputs = ", ".join(
        f"{name} {count:,}" for name, count in table.loc[table["inputs"] != "", "inputs"].value_counts().items()
    )
    outside = int(table["out_of_domain"].sum())
    return f"{len(table):,} targets: {status}; from {inputs or 'nothing'}; {outside:,} out of the training domain"
