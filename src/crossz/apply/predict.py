"""Redshifts of new objects: the estimates of the networks of all splits, from the data that each object has."""

import logging
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from crossz.apply import pixels, stacking
from crossz.apply.apertures import aperture_flux, aperture_noise
from crossz.apply.bundle import Bundle
from crossz.apply.bundle_folder import table_columns
from crossz.apply.classes import check_pair, with_classes
from crossz.apply.cutout_files import index_of
from crossz.apply.domain import image_features, photometry_features
from crossz.apply.suspect import photometry_suspect
from crossz.catalog.lists import numbers as texts_as_numbers
from crossz.core.constants import BANDS, OK
from crossz.core.errors import CrosszError
from crossz.core.names import ALONE, NO_DATA
from crossz.estimates.ends import at_ends
from crossz.estimates.estimates import Estimate, Pdf, joined
from crossz.images.store import ImageStore
from crossz.models import features as ft
from crossz.models.data import Fetch, Inputs, model_inputs
from crossz.models.inference import Networks, estimate, no_estimate
from crossz.models.info import ModelInfo

log = logging.getLogger(__name__)

SHARES = (0.68, 0.95)
"""Probabilities of the central intervals of z that are written."""
FAINT = 22.0
"""g magnitude beyond which an object is flagged faint: where the paper's samples end."""
ROWS_AT_ONCE, IMAGES_AT_ONCE = 8192, 128
"""So many objects go to the networks together: without and with images."""
_LETTERS = np.array(
    ["".join(band for bit, band in enumerate(BANDS) if code >> bit & 1) for code in range(1 << len(BANDS))]
)
_PLACE = ("objID", "specObjID", "ra", "dec", "separation_arcsec", "duplicate_of")


class Images(NamedTuple):
    """Cutouts of n targets."""

    store: ImageStore
    row: np.ndarray
    """[n] row of each target in the store, -1 without an image."""
    status: np.ndarray
    """[n] status of each image, "" where none was sought."""


def images_of(objID: pd.Series, index: str | Path, cutouts: Sequence[str | Path]) -> Images:
    """The images of targets by their objID, from cutout files and their index.

    Parameters
    ----------
    objID
        [n] integers, null where a target has none.
    index, cutouts
        The index (images.index) and the cutout files, in the order of the index.
    """
    store = ImageStore(index, cutouts)
    known = objID.fillna(-1).to_numpy(np.int64)
    return Images(store, store.rows(known), store.status(known))


def images_in(cutouts: Sequence[str | Path], objID: Sequence[int | str | None] | pd.Series) -> Images:
    """The images of targets by their objID, from cutout files without an index.

    Parameters
    ----------
    cutouts
        Cutout files, as results/cutouts/*.arrow.
    objID
        [n] integers, or their digits as text. Whatever is no objID has no image.

    Raises
    ------
    CrosszError
        A file is absent or no cutout file, or two images have the same objID.
    """
    return image_finder(cutouts)(objID)


def image_finder(cutouts: Sequence[str | Path]) -> Callable[[Sequence[int | str | None] | pd.Series], Images]:
    """What finds images as `images_in` does, for one batch of targets after the other; the cutout files are read once."""
    with tempfile.TemporaryDirectory() as scratch:
        index = Path(scratch) / "images.parquet"
        index_of(cutouts).to_parquet(index, index=False)
        store = ImageStore(index, cutouts)

    def find(objID: Sequence[int | str | None] | pd.Series) -> Images:
        numbers = [int(text) if _is_id(text) else -1 for text in map(str, objID)]
        known = np.array(numbers, np.int64)
        return Images(store, store.rows(known), store.status(known))

    return find


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) < 20 and int(text) < 1 << 63


def photometry_of(
    targets: pd.DataFrame, magnitudes: str, columns: Sequence[str] = (), images: bool = False
) -> ft.Photometry:
    """Photometry of new objects. Whatever is no number is missing.

    Parameters
    ----------
    targets
        A table of n objects. Extinctions are needed for psfMag only.
    magnitudes
        dered_model or psf.
    columns
        Extra columns that the networks read.
    images
        Whether the targets have images: then columns may be absent, since an image is enough for an estimate.

    Raises
    ------
    CrosszError
        An extra column is absent, or no band has all of its columns.
    """
    read = {*table_columns(magnitudes, columns), *(f"extinction_{band}" for band in BANDS)}
    numbers = pd.DataFrame({name: _as_numbers(targets[name]) for name in targets if name in read}, targets.index)
    unused = {f"extinction_{band}": 0.0 for band in BANDS if f"extinction_{band}" not in numbers}
    numbers = numbers.assign(**unused) if magnitudes == "dered_model" else numbers
    whole = table_columns(magnitudes)
    absent = {name[-1] for name in whole if name not in numbers}
    free = images or "status" in targets  # matched: what the archive was not asked for is missing
    if not free and len(absent) == len(BANDS):
        raise CrosszError(f"no band has all of its columns, which are {', '.join(whole)}")
    wanted = (*whole, *columns) if free else whole
    numbers = numbers.assign(**{name: np.nan for name in wanted if name not in numbers})
    return ft.photometry(numbers, magnitudes, columns, complete=False)


def _as_numbers(column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, pd.StringDtype):
        return texts_as_numbers(pa.array(column))
    return pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)


@torch.inference_mode()
def predict(
    targets: pd.DataFrame | pa.Table, bundle: Bundle, images: Images | None = None, classes: Bundle | None = None
) -> pd.DataFrame:
    """Estimate the redshift, or the class, of every row of `targets` from the data that it has.

    Parameters
    ----------
    targets
        Photometry of n objects: AB magnitudes and their errors in the columns `bundle.columns`. A row is not estimated if
        it has a `status` other than "ok".
    bundle
        The networks of all splits. Their estimates are averaged.
    images
        Cutouts of the targets (`images_in`), if there are any.
    classes
        Networks of classes (config/classes.yaml) for the same targets, if `bundle` estimates redshifts. The redshifts are then
        those that the objects have if they are quasars.

    Returns
    -------
    pandas.DataFrame
        n rows in the order of `targets`, with its index. Columns:

        * row; objID, specObjID, ra, dec, separation_arcsec, duplicate_of if the targets have them;
        * status: ok, no_data (no band with a magnitude and an error, and no image), or that of the targets; and why;
        * inputs: phot+img; phot+img_gen or phot_gen+img if features are generated for what is missing; phot or img of
          networks of one modality;
        * missing: letters of the bands without photometry; image: status of the image;
        * stacked, of bundles with trees: whether they are part of the estimate;
        * edge: no frame covers a part of the image; domain_p: the share of objects like the training ones that lie at least
          as far from them (`domain.Domain`), and out_of_domain: it is at most the bundle's threshold; photometry_suspect:
          `suspect.photometry_suspect`; faint: g > 22;
        * z_at_end, of bundles that know the ends of their redshifts: the interval of 95 % reaches beyond one of them;
        * the columns of `estimates.Pdf` with intervals of 68 % and 95 %, or of `estimates.Point` or
          `estimates.ClassProbabilities`; empty unless status is ok;
        * with `classes`, those of `classes.with_classes`.

    Raises
    ------
    CrosszError
        The targets lack a column, or `classes` does not suit `bundle` (`classes.check_pair`).
    """
    table = targets.to_pandas() if isinstance(targets, pa.Table) else targets
    if classes is not None:
        check_pair(bundle, classes)
        classed = predict(table, classes, images)
        return with_classes(predict(table, bundle, images), classed, classes.splits[0].info.classes)
    count, info = len(table), bundle.splits[0].info
    phot = photometry_of(table, info.magnitudes, info.columns, images is not None)
    row: np.ndarray = np.full(count, -1) if images is None else images.row
    status = table["status"].to_numpy(str) if "status" in table else np.full(count, OK)
    has_phot: np.ndarray = np.any(~phot.missing, axis=1)
    inputs = np.where(status == OK, input_patterns(info, has_phot, row >= 0), "")
    known = inputs != ""
    frame = pd.DataFrame({"row": np.arange(count)} | {name: table[name].array for name in _PLACE if name in table})
    frame["status"] = np.where((status == OK) & ~known, NO_DATA, status)
    if "why" in table:
        frame["why"] = table["why"].array
    frame["inputs"] = inputs
    frame["missing"] = _LETTERS[phot.missing @ (1 << np.arange(len(BANDS)))]
    frame["image"] = np.full(count, "") if images is None else images.status
    estimates, frame["edge"], flux = _estimates(phot, inputs, row, images, bundle)
    frame = frame.assign(**stacking.flags(bundle.stack, phot, inputs))
    frame["domain_p"] = np.where(known, _domain_p(phot, flux, bundle), np.nan)
    frame["out_of_domain"] = bundle.domain is not None and frame["domain_p"] <= bundle.domain.threshold
    frame["photometry_suspect"] = known & _suspect(table, phot, flux, bundle)
    frame["faint"] = phot.mag[:, BANDS.index("g")] > FAINT
    if bundle.ends is not None and isinstance(estimates, Pdf):
        reaches = np.zeros(count, bool)
        reaches[known] = at_ends(estimates.mixture, bundle.ends).any(1)
        frame["z_at_end"] = reaches
    values = pd.DataFrame(estimates.columns(SHARES), np.flatnonzero(known)).reindex(frame.index)
    return pd.concat([frame, values], axis=1).set_axis(table.index)


def input_patterns(info: ModelInfo, has_phot: np.ndarray, has_image: np.ndarray) -> np.ndarray:
    """The input pattern [n] of each object that has photometry, an image, or both; "" where `info` has none for it."""
    kind = info.z_patterns
    if kind in ALONE:
        return np.where(has_phot if kind == "phot" else has_image, kind, "")
    patterns = ["phot+img", "phot+img_gen", "phot_gen+img"]
    return np.select([has_phot & has_image, has_phot, has_image], patterns, "")


def _estimates(
    phot: ft.Photometry, inputs: np.ndarray, row: np.ndarray, images: Images | None, bundle: Bundle
) -> tuple[Estimate, np.ndarray, np.ndarray]:
    """The estimate of all objects with an input pattern, in their order, and of the image of each object whether it is at an edge [n], and its flux.

    The flux [n, 5] is that of `aperture_flux`, NaN of images that no network reads.

    The networks of all splits see one batch of objects before the next is read. The estimate is the mean over the splits, at
    the temperature of the input pattern.
    """
    edge, flux = np.zeros(len(row), bool), np.full((len(row), len(BANDS)), np.nan)
    splits = [_Split(networks, phot, images is not None) for networks in bundle.splits]
    nothing = [no_estimate(networks) for networks in bundle.splits]
    features = np.empty((len(row), 0)) if bundle.stack is None else ft.of_trees(phot)
    parts, rows = [stacking.together(bundle.stack, nothing, None, features[:0], "")], [np.zeros(0, np.int64)]
    for pattern in np.unique(inputs[inputs != ""]).tolist():
        here = np.flatnonzero(inputs == pattern)
        reads = images is not None and pattern.endswith("img")
        for batch in np.array_split(here, math.ceil(len(here) / (IMAGES_AT_ONCE if reads else ROWS_AT_ONCE))):
            code = None
            if images is not None and reads:
                image, mask = images.store.gather(row[batch])
                edge[batch] = mask.any((1, 2))
                flux[batch] = aperture_flux(image, mask)
                code = pixels.codes(image, mask, bundle.splits[0].device)
            members = [split.estimate(batch, code, pattern) for split in splits]
            temperature = bundle.temperature.get(pattern)
            parts.append(stacking.together(bundle.stack, members, temperature, features[batch], pattern))
            rows.append(batch)
    if images is not None:
        _at_edge(images, row, np.flatnonzero((row >= 0) & ~np.char.endswith(inputs, "img")), edge)
    return joined(parts).take(np.argsort(np.concatenate(rows))), edge, flux


class _Split:
    """The networks of one split, and what they read of n objects."""

    def __init__(self, networks: Networks, phot: ft.Photometry, images: bool):
        self._networks = networks
        self._seen = model_inputs(phot, None, None, networks.info, networks.device)
        sees = images and networks.info.sees_images
        self._table = pixels.stretch_table(networks.info.sky_noise, networks.device) if sees else None

    def estimate(self, batch: np.ndarray, code: torch.Tensor | None, pattern: str) -> Estimate:
        """Of the objects `batch` [b], whose images are those of `code` [b, 5, y, x]."""
        here = torch.from_numpy(batch).to(self._networks.device)
        fetch: Fetch | None = None
        if code is not None and (table := self._table) is not None:

            def fetch(positions: torch.Tensor) -> torch.Tensor:
                return pixels.stretched(code if len(positions) == len(code) else code[positions], table)

        seen = Inputs(self._seen.x_mag[here], self._seen.x_colour[here], fetch)
        return estimate(self._networks, seen, [pattern])[pattern]


def _domain_p(phot: ft.Photometry, flux: np.ndarray, bundle: Bundle) -> np.ndarray:
    """`Domain.p` [n] of what the networks read; NaN without a domain."""
    if bundle.domain is None:
        return np.full(len(flux), np.nan)
    info, seen = bundle.splits[0].info, {}
    if info.sees_photometry:
        seen["phot"] = photometry_features(phot)
    if info.sees_images:
        seen["img"] = image_features(flux, info.sky_noise)
    return bundle.domain.p(seen)


def _suspect(table: pd.DataFrame, phot: ft.Photometry, flux: np.ndarray, bundle: Bundle) -> np.ndarray:
    """`photometry_suspect` [n]; images are compared where the targets say by what their magnitudes were dereddened."""
    info = bundle.splits[0].info
    told = [f"extinction_{band}" in table for band in BANDS]
    noise = aperture_noise(np.asarray(info.sky_noise)) if info.sees_images else np.full(len(BANDS), np.nan)
    return photometry_suspect(
        phot, np.where(told, phot.extinction, np.nan), flux, noise, info.magnitudes == "dered_model"
    )


def _at_edge(images: Images, row: np.ndarray, rest: np.ndarray, edge: np.ndarray) -> None:
    """Fill in `edge` [n] of the objects `rest`, whose images no network reads."""
    for start in range(0, len(rest), IMAGES_AT_ONCE):
        batch = rest[start : start + IMAGES_AT_ONCE]
        edge[batch] = images.store.gather(row[batch])[1].any((1, 2))
