"""Redshifts of new objects: the estimates of the networks of all splits, from the data that each object has."""

import logging
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import torch

from crossz.apply import pixels
from crossz.apply.bundle import Bundle
from crossz.apply.bundle_folder import table_columns
from crossz.core.constants import BANDS, CUTOUT_SIZE, OK
from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import refusing
from crossz.core.names import ALONE, NO_DATA, NOT_FINITE
from crossz.estimates.estimates import Estimate, joined, mean_of
from crossz.images.arrow import read_arrays
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
_LONGEST_STATUS = 100
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
    status = pd.read_parquet(index).set_index("objID")["status"]
    return Images(store, store.rows(known), status.reindex(known).fillna("").to_numpy(str))


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
    rows = index_of(cutouts)
    with tempfile.TemporaryDirectory() as scratch:
        index = Path(scratch) / "images.parquet"
        rows.to_parquet(index, index=False)
        store = ImageStore(index, cutouts)
    status = rows.set_index("objID")["status"]

    def find(objID: Sequence[int | str | None] | pd.Series) -> Images:
        numbers = [int(text) if _is_id(text) else -1 for text in map(str, objID)]
        known = np.array(numbers, np.int64)
        return Images(store, store.rows(known), status.reindex(known).fillna("").to_numpy(str))

    return find


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) < 20 and int(text) < 1 << 63


def index_of(cutouts: Sequence[str | Path]) -> pd.DataFrame:
    """The index of cutout files: objID, shard (position in `cutouts`), row and status of each image, sorted by objID.

    Raises
    ------
    CrosszError
        A file is absent or no cutout file, or two images have the same objID.
    """
    parts = []
    for number, path in enumerate(cutouts):
        if not Path(path).is_file():
            raise CrosszError(f"{path}: no such cutout file")
        try:
            with refusing("not a cutout file"):
                with pa.memory_map(str(path)) as source:
                    pa.ipc.open_file(source).read_all().validate(full=True)  # texts would be read out of bounds
                columns = read_arrays(path)
                _check_cutouts(columns, str(path))
        except Refused as error:
            raise CrosszError(f"{path}: {error}") from error
        row = np.arange(len(columns["objID"]), dtype=np.int32)
        place = {"shard": np.full(len(row), number, np.int32), "row": row}
        status = columns["status"].astype(str)
        status = np.where((status == OK) & ~_finite(columns["image"]), NOT_FINITE, status)
        parts.append(pd.DataFrame({"objID": columns["objID"], **place, "status": status}))
    index = pd.concat(parts).sort_values("objID", ignore_index=True)
    repeated = index["objID"][index["objID"].duplicated()]
    if len(repeated):
        names = ", ".join(map(str, cutouts))
        raise CrosszError(f"{names}: two images of objID {repeated.iloc[0]}; name only one of the files")
    return index


def _check_cutouts(columns: Mapping[str, np.ndarray], path: str) -> None:
    made = "cutout files are made as results/cutouts/*.arrow"
    if absent := {"objID", "status", "image", "mask"} - columns.keys():
        raise CrosszError(f"{path}: no column {', '.join(sorted(absent))}; {made}")
    size = (CUTOUT_SIZE, CUTOUT_SIZE)
    for name, shape, dtype in (("image", (len(BANDS), *size), np.float16), ("mask", size, np.uint8)):
        found = columns[name]
        if found.shape[1:] != shape or found.dtype != dtype:
            raise CrosszError(
                f"{path}: {name} is {found.dtype} {found.shape[1:]}, wanted {np.dtype(dtype)} {shape}; {made}"
            )
    if {*map(type, columns["status"])} - {str} or max(map(len, columns["status"]), default=0) > _LONGEST_STATUS:
        raise CrosszError(f"{path}: a status that is no word; {made}")
    if {len(columns[name]) for name in ("status", "image", "mask")} - {len(columns["objID"])}:
        raise CrosszError(f"{path}: its rows lie in several batches; write them in one")
    if columns["objID"].dtype != np.int64:
        raise CrosszError(f"{path}: objID is {columns['objID'].dtype}, wanted int64; {made}")


def _finite(image: np.ndarray) -> np.ndarray:
    """Whether all pixels of each image [n, 5, 64, 64] are finite; a few images at a time."""
    starts = range(0, len(image), IMAGES_AT_ONCE)
    parts = [np.isfinite(image[start : start + IMAGES_AT_ONCE]).all((1, 2, 3)) for start in starts]
    return np.concatenate([np.zeros(0, bool), *parts])


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
    numbers = targets[[name for name in targets if name in read]].apply(pd.to_numeric, errors="coerce")
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


def predict(targets: pd.DataFrame | pa.Table, bundle: Bundle, images: Images | None = None) -> pd.DataFrame:
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

    Returns
    -------
    pandas.DataFrame
        n rows in the order of `targets`, with its index. Columns:

        * row; objID, specObjID, ra, dec, separation_arcsec, duplicate_of if the targets have them;
        * status: ok, no_data (no band with a magnitude and an error, and no image), or that of the targets; and why;
        * inputs: phot+img; phot+img_gen or phot_gen+img if features are generated for what is missing; phot or img of
          networks of one modality;
        * missing: letters of the bands without photometry; image: status of the image;
        * edge: no frame covers a part of the image; out_of_domain: a feature lies outside the training data, so that the
          estimate is not reliable; faint: g > 22;
        * the columns of `estimates.Pdf` with intervals of 68 % and 95 %, or of `estimates.Point` or
          `estimates.ClassProbabilities`; empty unless status is ok.

    Raises
    ------
    CrosszError
        The targets lack a column.
    """
    table = targets.to_pandas() if isinstance(targets, pa.Table) else targets
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
    estimates, frame["edge"] = _estimates(phot, inputs, row, images, bundle)
    frame["out_of_domain"] = known & _out_of_domain(phot, bundle)
    frame["faint"] = phot.mag[:, BANDS.index("g")] > FAINT
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
) -> tuple[Estimate, np.ndarray]:
    """The estimate of all objects with an input pattern, in their order, and whether the image of each object [n] is at an edge.

    The networks of all splits see one batch of objects before the next is read. The estimate is the mean over the splits, at
    the temperature of the input pattern.
    """
    edge = np.zeros(len(row), bool)
    splits = [_Split(networks, phot, images is not None) for networks in bundle.splits]
    parts, rows = [mean_of([no_estimate(networks) for networks in bundle.splits])], [np.zeros(0, np.int64)]
    for pattern in np.unique(inputs[inputs != ""]).tolist():
        here = np.flatnonzero(inputs == pattern)
        reads = images is not None and pattern.endswith("img")
        for batch in np.array_split(here, math.ceil(len(here) / (IMAGES_AT_ONCE if reads else ROWS_AT_ONCE))):
            code = None
            if images is not None and reads:
                image, mask = images.store.gather(row[batch])
                edge[batch] = mask.any((1, 2))
                code = pixels.codes(image, mask, bundle.splits[0].device)
            mean = mean_of([split.estimate(batch, code, pattern) for split in splits])
            parts.append(mean.recalibrated(bundle.temperature.get(pattern)))
            rows.append(batch)
    if images is not None:
        _at_edge(images, row, np.flatnonzero((row >= 0) & ~np.char.endswith(inputs, "img")), edge)
    return joined(parts).take(np.argsort(np.concatenate(rows))), edge


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


def _out_of_domain(phot: ft.Photometry, bundle: Bundle) -> np.ndarray:
    outside = np.zeros(len(phot.mag), bool)
    for networks in bundle.splits if bundle.splits[0].info.sees_photometry and len(outside) else ():
        for name, values in zip(("x_mag", "x_colour"), ft.tokens(phot, networks.info.features), strict=True):
            outside |= ft.out_of_domain(networks.info.scalers[name], values)
    return outside


def _at_edge(images: Images, row: np.ndarray, rest: np.ndarray, edge: np.ndarray) -> None:
    """Fill in `edge` [n] of the objects `rest`, whose images no network reads."""
    for start in range(0, len(rest), IMAGES_AT_ONCE):
        batch = rest[start : start + IMAGES_AT_ONCE]
        edge[batch] = images.store.gather(row[batch])[1].any((1, 2))
