"""Redshifts of objects that have none: the networks of all splits on what there is of each object, their estimates as one."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from crossz.apply.bundle import Bundle, load_bundle, trained_networks
from crossz.catalog.readers import read_table
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.core.names import ALONE, BANDS, NO_DATA, OK
from crossz.estimates.estimates import Estimate, joined, mean_of
from crossz.images.store import ImageStore
from crossz.models import features as ft
from crossz.models.data import Inputs, model_inputs
from crossz.models.device import deterministic
from crossz.models.inference import Networks, estimate

log = logging.getLogger(__name__)

SHARES = (0.68, 0.95)
"""Probabilities of the central intervals of z that are written."""
FAINT = 22.0
"""g magnitude beyond which an object is flagged faint: where the paper's samples end."""
ROWS_AT_ONCE = 4096
"""Masks of so many images are in memory together."""
_PLACE = ("objID", "specObjID", "ra", "dec", "separation_arcsec", "duplicate_of")
_TEXT = ("class", "run2d", "status", "why")


class Images(NamedTuple):
    """Cutouts of n targets."""

    store: ImageStore
    row: np.ndarray
    """[n] row of each target in the store, -1 without an image."""
    status: np.ndarray
    """[n] status of each image, "" where none was sought."""


def images_of(objID: pd.Series, index: str | Path, cutouts: Sequence[str | Path]) -> Images:
    """The images of targets by their objID (null: no image), from cutout files and their index (images.index)."""
    store = ImageStore(index, cutouts)
    known = objID.fillna(-1).to_numpy(np.int64)
    status = pd.read_parquet(index).set_index("objID")["status"]
    return Images(store, store.rows(known), status.reindex(known).fillna("").to_numpy(str))


def photometry_of(targets: pd.DataFrame, magnitudes: str, columns: Sequence[str] = ()) -> ft.Photometry:
    """Photometry of new objects. What is no number is missing; extinctions are needed for psfMag only.

    Raises
    ------
    CrosszError
        A column is absent or, in a table of the user's, holds no number at all.
    """
    numbers = targets.drop(columns=[name for name in (*_PLACE, *_TEXT) if name in targets])
    numbers = numbers.apply(pd.to_numeric, errors="coerce")
    unused = {f"extinction_{band}": 0.0 for band in BANDS if f"extinction_{band}" not in numbers}
    numbers = numbers.assign(**unused) if magnitudes == "dered_model" else numbers
    if "status" in targets:  # matched: what the archive was not asked for is missing
        numbers = numbers.assign(**{name: np.nan for name in columns if name not in numbers})
    return ft.photometry(numbers, magnitudes, columns, complete="status" not in targets)


def predict(targets: pd.DataFrame | pa.Table, bundle: Bundle, images: Images | None = None) -> pd.DataFrame:
    """Estimate the redshift of every row of `targets`, from what there is of it.

    Parameters
    ----------
    targets
        Photometry of n objects under the names of crossz (`crossz info BUNDLE` lists them), AB magnitudes. A column `status`
        other than "ok" keeps a row from being estimated.
    bundle
        The networks of all splits; their estimates are averaged.
    images
        Cutouts of the targets, if there are any.

    Returns
    -------
    pandas.DataFrame
        n rows in the order of `targets`. Columns: row; objID, specObjID, ra, dec, separation_arcsec, duplicate_of where the
        targets have them; status (ok; no_data: no band with a magnitude and an error, and no image; or the targets' own) and
        why; inputs (phot+img; phot+img_gen, phot_gen+img where a feature is generated for what is missing; phot, img of
        networks of one modality); missing (letters of bands without photometry); image (status of the image); the flags edge
        (no frame covers a part of the image), out_of_domain (a feature beyond all that the networks have seen: do not trust the
        row) and faint (g > 22). Then `estimates.Pdf.columns` with intervals of 68 % and 95 %, or those of points or class
        probabilities; empty unless status is ok.

    Raises
    ------
    CrosszError
        The targets lack a column.
    """
    table = targets.to_pandas() if isinstance(targets, pa.Table) else targets
    count, info = len(table), bundle.splits[0].info
    phot = photometry_of(table, info.magnitudes, info.columns)
    row = np.full(count, -1) if images is None else images.row
    inputs = input_patterns(bundle.splits[0], ~phot.missing.all(1), row >= 0)
    known = inputs != ""
    columns = {"row": np.arange(count)} | {name: table[name] for name in _PLACE if name in table}
    status = table["status"].to_numpy(str) if "status" in table else np.full(count, OK)
    columns["status"] = np.where((status == OK) & ~known, NO_DATA, status)
    if "why" in table:
        columns["why"] = table["why"]
    columns |= {
        "inputs": inputs,
        "missing": ["".join(band for band, gone in zip(BANDS, bands, strict=True) if gone) for bands in phot.missing],
        "image": np.full(count, "") if images is None else images.status,
        "edge": _at_edge(images, row),
        "out_of_domain": known & _out_of_domain(phot, bundle),
        "faint": phot.mag[:, BANDS.index("g")] > FAINT,
    }
    frame = pd.DataFrame(columns)
    if known.any():
        for name, values in _estimates(phot, inputs, row, images, bundle).columns(SHARES).items():
            frame[name] = pd.Series(values, np.flatnonzero(known)).reindex(frame.index)
    else:
        frame["class_phot" if info.classes else "z_phot"] = np.nan
    return frame


def input_patterns(networks: Networks, has_phot: np.ndarray, has_image: np.ndarray) -> np.ndarray:
    """The input pattern [n] of each object, "" where the networks can say nothing of it."""
    kind = networks.info.z_patterns
    if kind in ALONE:
        return np.where(has_phot if kind == "phot" else has_image, kind, "")
    patterns = ["phot+img", "phot+img_gen", "phot_gen+img"]
    return np.select([has_phot & has_image, has_phot, has_image], patterns, "")


def _estimates(
    phot: ft.Photometry, inputs: np.ndarray, row: np.ndarray, images: Images | None, bundle: Bundle
) -> Estimate:
    """The estimate of all objects with an input pattern, in their order: the mean over the splits."""
    patterns = np.unique(inputs[inputs != ""]).tolist()
    members: list[Estimate] = []
    for networks in bundle.splits:
        seen = model_inputs(phot, images and images.store, row, networks.info, networks.device)
        members.append(_by_pattern(networks, seen, inputs, patterns))
    return mean_of(members)


def _by_pattern(networks: Networks, seen: Inputs, inputs: np.ndarray, patterns: list[str]) -> Estimate:
    parts, rows = [], []
    for pattern in patterns:
        here = np.flatnonzero(inputs == pattern)
        positions = torch.from_numpy(here).to(networks.device)
        parts.append(estimate(networks, seen, [pattern], positions)[pattern])
        rows.append(here)
    return joined(parts).take(np.argsort(np.concatenate(rows)))


def _out_of_domain(phot: ft.Photometry, bundle: Bundle) -> np.ndarray:
    outside = np.zeros(len(phot.mag), bool)
    for networks in bundle.splits:
        for name, values in zip(("x_mag", "x_colour"), ft.tokens(phot), strict=True):
            outside |= ft.out_of_domain(networks.info.scalers[name], values)
    return outside


def _at_edge(images: Images | None, row: np.ndarray) -> np.ndarray:
    edge = np.zeros(len(row), bool)
    known = np.flatnonzero(row >= 0)
    for start in range(0, len(known), ROWS_AT_ONCE) if images is not None else ():
        batch = known[start : start + ROWS_AT_ONCE]
        edge[batch] = images.store.gather(row[batch])[1].any((1, 2))
    return edge


def write_redshifts(
    *,
    targets: str | Path,
    columns: Mapping[str, str],
    networks: Sequence[str | Path],
    table: str | Path,
    images: Sequence[str | Path] = (),
    threads: int = 1,
) -> None:
    """Write `predict` of a table of photometry, or of what catalog.targets made of positions.

    Parameters
    ----------
    targets
        The table.
    columns
        Our column's name -> the table's.
    networks
        The folder of a bundle alone, or model.pt and model.json of each split in turn.
    table
        What is written.
    images
        Of matched targets: the index of their images, then the cutout files.
    threads
        Of the processor.
    """
    begun = time.monotonic()
    deterministic(threads)
    bundle = load_bundle(networks[0]) if len(networks) == 1 else trained_networks(networks[::2], networks[1::2])
    if images:
        objects = pd.read_parquet(targets)
        pictures = images_of(objects["objID"], images[0], images[1:])
    else:
        objects = read_table(targets, dict(columns), bundle.splits[0].info.columns).to_pandas()
        pictures = None
    try:
        redshifts = predict(objects, bundle, pictures)
    except CrosszError as error:
        raise CrosszError(f"{targets}: {error}") from error
    with atomic_path(table) as temporary:
        redshifts.to_parquet(temporary, index=False)
    log.info(f"{summary(redshifts)}; {time.monotonic() - begun:.1f} s")


def summary(table: pd.DataFrame) -> str:
    """One line: how many targets, what became of them, from which inputs, how many are flagged."""
    status = ", ".join(f"{name} {count:,}" for name, count in table["status"].value_counts().items())
    patterns = table.loc[table["inputs"] != "", "inputs"].value_counts()
    inputs = ", ".join(f"{name} {count:,}" for name, count in patterns.items())
    outside = int(table["out_of_domain"].sum())
    return f"{len(table):,} targets: {status}; from {inputs or 'nothing'}; {outside:,} out of the training domain"
