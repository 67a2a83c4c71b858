"""How far an object lies from the objects that networks were trained on, as a false-alarm rate.

The distance is the mean distance of the five nearest of some training objects. It is compared with that of objects of the
validation part, which the training did not see: `domain_p` is the share of these that lie at least as far. So of objects
like the training ones, a share t has domain_p <= t, whatever the distance is.

Photometry counts by its magnitudes, its fluxes over one band's, and extra columns; an image by the flux in its middle over
the noise. Distances are measured twice: of the scaled features, which sees galaxies best, and of the same ones without their
correlations, which sees redshifts beyond the training range best (docs/real-data.md has the measurements, those of features
of the network, too). The smaller of the two shares counts, and of an object with both kinds of data the smallest of the
four; the share of validation objects whose smallest one is as small makes it a false-alarm rate again.
"""

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from crossz.apply.apertures import aperture_flux, aperture_noise
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.images.store import ImageStore
from crossz.models import features as ft
from crossz.models.info import ModelInfo
from crossz.models.rows import load_rows, subsample

log = logging.getLogger(__name__)

THRESHOLD = 0.05
"""`domain_p` at and below which an object is flagged: the share of false alarms."""
ROWS = 2000
"""At most so many objects of the training part, and of the validation part, are kept in a bundle."""
_NEIGHBOURS = 5
_FEWEST = 20  # of objects of either part with the same bands: 1 / (1 + 19) is the threshold
_CLIP = 20.0  # widths: how much farther than this something is does not matter
_CORE = 4.0  # widths: correlations are those of the objects within
_LEAST_VARIANCE = 0.01
_PARTS = ("train", "val")
_AT_ONCE = 512
_GROUP = 32  # distances of which the smallest is sought first


@dataclass(frozen=True, repr=False)
class Domain:
    """Objects of the training and the validation part that distances are measured from."""

    rows: Mapping[str, np.ndarray]
    """phot_train, phot_val [n, 5 + k]: magnitudes and extra columns; img_train, img_val [n, 5]: `image_features`. NaN: missing."""
    threshold: float = THRESHOLD
    """The share of false alarms at which an object is flagged."""
    _views: dict[tuple, "_View | None"] = field(default_factory=dict)

    def p(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The share [n] of validation objects that lie at least as far as each object; NaN where nothing can be compared.

        Parameters
        ----------
        values
            What the networks see: phot, `photometry_features`; img, `image_features`. NaN where missing.
        """
        values = {name: value.astype(np.float32).astype(float) for name, value in values.items()}  # as they are kept
        known = np.concatenate([np.isfinite(value) for value in values.values()], axis=1)
        found = np.full(len(known), np.nan)
        patterns, which = np.unique(known, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            here = np.flatnonzero(which.ravel() == number)
            found[here] = self._of_pattern({name: value[here] for name, value in values.items()}, pattern)
        return found

    def _of_pattern(self, values: Mapping[str, np.ndarray], pattern: np.ndarray) -> np.ndarray | float:
        """`p` of objects that have the same features, `pattern`."""
        views, begin = {}, 0
        for name, value in values.items():
            observed = pattern[begin : begin + value.shape[1]]
            begin += value.shape[1]
            key = (name, observed.tobytes())
            if key not in self._views:
                self._views[key] = _view(name, self.rows[f"{name}_train"], self.rows[f"{name}_val"], observed)
            if (view := self._views[key]) is not None:
                views[name] = view
        if not views:
            return np.nan
        smallest = np.min([view.share(values[name]) for name, view in views.items()], axis=0)
        of_val = np.min([view.of_val for view in views.values()], axis=0)
        of_val = np.sort(of_val[np.isfinite(of_val)])
        if len(of_val) < _FEWEST - 1:
            return np.nan
        return (1 + np.searchsorted(of_val, smallest, side="right")) / (len(of_val) + 1)


class _View:
    """Distances by the features `observed`, of one kind of data."""

    def __init__(self, kind: str, train: np.ndarray, val: np.ndarray, observed: np.ndarray):
        self._columns = functools.partial(_derived, kind, observed)
        features = self._columns(train)
        low, self._middle, high = np.percentile(features, [16, 50, 84], axis=0)
        self._varies = np.ptp(features, axis=0) > 0  # the flux of the band that fluxes are divided by is 1
        self._width = np.maximum((high - low) / 2, 1e-3)
        scaled = self._scaled(features)
        core = scaled[(np.abs(scaled) < _CORE).all(1)]
        correlation = np.atleast_2d(np.cov(core if len(core) > scaled.shape[1] else scaled, rowvar=False))
        variance, axes = np.linalg.eigh(correlation)
        self._metrics = [np.eye(scaled.shape[1]), axes / np.sqrt(np.maximum(variance, 0) + _LEAST_VARIANCE)]
        self._train = [torch.from_numpy(scaled @ metric) for metric in self._metrics]
        whole = np.isfinite(val[:, observed]).all(1)
        self._limits = [np.sort(distance) for distance in self._distances(val[whole])]
        self.of_val = np.full(len(val), np.nan)
        self.of_val[whole] = self.share(val[whole], themselves=1)

    def share(self, values: np.ndarray, themselves: int = 0) -> np.ndarray:
        """The share [n] of validation objects that are as far, by the distance by which they are fewer.

        Beyond the farthest of them the share goes on to 0 as one over the distance. An object that is one of them is not
        compared with itself: so many as `themselves` are left out.
        """
        shares = []
        for limits, distance in zip(self._limits, self._distances(values), strict=True):
            as_far = len(limits) - themselves - np.searchsorted(limits, distance * (1 - 1e-9), side="left")
            beyond = limits[-1 - themselves] / np.maximum(distance, 1e-9)
            shares.append(np.where(as_far > 0, as_far, beyond) / (len(limits) - themselves))
        return np.min(shares, axis=0)

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        scaled = (features - self._middle) / self._width
        return np.clip(scaled, -_CLIP, _CLIP)[:, self._varies]

    def _distances(self, values: np.ndarray) -> list[np.ndarray]:
        scaled = self._scaled(self._columns(values))
        found = []
        for metric, train in zip(self._metrics, self._train, strict=True):
            square = (train**2).sum(1)
            near = []
            memory = torch.empty(_AT_ONCE, len(train), dtype=square.dtype)  # new memory takes as long as the product
            for some in torch.from_numpy(scaled @ metric).split(_AT_ONCE):
                squares = _smallest(torch.addmm(square, some, train.T, alpha=-2, out=memory[: len(some)]))
                near.append((squares + (some**2).sum(1, keepdim=True)).clamp(min=0).sqrt().mean(1))
            found.append(torch.cat(near).numpy() if near else np.zeros(0))
        return found


def _smallest(values: torch.Tensor) -> torch.Tensor:
    """The _NEIGHBOURS smallest of each row of `values` [b, n]. They lie in the groups whose own smallest are smallest."""
    whole = values.shape[1] // _GROUP * _GROUP
    if whole <= _GROUP * _NEIGHBOURS:
        return values.topk(_NEIGHBOURS, largest=False).values
    groups = values[:, :whole].unflatten(1, (-1, _GROUP))
    best = np.argpartition(groups.amin(2).numpy(), _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    near = groups[torch.arange(len(values))[:, None], torch.from_numpy(best)].flatten(1)
    candidates = torch.cat([near, values[:, whole:]], 1).numpy()
    return torch.from_numpy(np.partition(candidates, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS])


def _view(kind: str, train: np.ndarray, val: np.ndarray, observed: np.ndarray) -> _View | None:
    """Distances by the features that are `observed`; None if too few training or validation objects have them."""
    here = train[np.isfinite(train[:, observed]).all(1)]
    held_out = np.isfinite(val[:, observed]).all(1).sum()
    if not observed.any() or len(here) < _FEWEST or held_out < _FEWEST - 1:
        return None
    return _View(kind, here, val, observed) if np.ptp(_derived(kind, observed, here), axis=0).any() else None


def _derived(kind: str, observed: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The features that are compared, of objects whose `observed` columns are known; of photometry, relative fluxes too."""
    if kind == "img":
        return values[:, observed]
    bands = observed[: len(BANDS)]
    mag = np.where(bands, values[:, : len(BANDS)], np.nan)
    nothing = np.zeros((len(mag), 0))
    phot = ft.Photometry(mag, np.ones_like(mag), mag[:, :-1] - mag[:, 1:], np.isnan(mag), mag, nothing)
    return np.concatenate([values[:, observed], ft.relative_fluxes(phot)[:, : len(BANDS)][:, bands]], axis=1)


def photometry_features(phot: ft.Photometry) -> np.ndarray:
    """[n, 5 + k] magnitudes and extra columns, NaN where missing."""
    return np.concatenate([phot.mag, phot.extra], axis=1)


def image_features(flux: np.ndarray, sky_noise: Sequence[float]) -> np.ndarray:
    """[n, 5] arsinh of the aperture's flux [n, 5] nmgy over twice its noise, as asinh magnitudes are; NaN where missing."""
    return np.arcsinh(flux / (2 * aperture_noise(np.asarray(sky_noise))))


def write_domain(
    *,
    catalog: str | Path,
    split: str | Path,
    index: str | Path,
    cutouts: Sequence[str | Path],
    info: str | Path,
    domain: str | Path,
) -> None:
    """Write the objects that distances are measured from, of one split; of the other splits they would be much the same.

    Parameters
    ----------
    catalog, split, index, cutouts
        The rows, their subsets, and their images (`models.rows.load_rows`).
    info
        model.json of the split.
    domain
        The safetensors file to write: the arrays of `Domain`.
    """
    networks = ModelInfo.read(info)
    store = ImageStore(index, cutouts)
    rows = load_rows(catalog, split, store)
    arrays: dict[str, np.ndarray] = {}
    for part in _PARTS:
        chosen = rows[rows["subset"] == part]
        if part == "train":
            chosen = subsample(chosen, networks.train["share"])
        chosen = subsample(chosen, min(1.0, ROWS / len(chosen)))
        for name, values in _features(chosen, store, networks).items():
            arrays[f"{name}_{part}"] = np.ascontiguousarray(
                values, np.float32
            )  # what is in another order is saved wrongly
    with atomic_path(domain) as temporary:
        temporary.write_bytes(save(arrays))
    log.info(f"{domain}: {', '.join(f'{name} {len(values):,}' for name, values in arrays.items())}")


def _features(rows: pd.DataFrame, store: ImageStore, info: ModelInfo) -> dict[str, np.ndarray]:
    found = {}
    if info.sees_photometry:
        found["phot"] = photometry_features(ft.photometry(rows, info.magnitudes, info.columns))
    if info.sees_images:
        places = np.array_split(rows["row"].to_numpy(), max(1, len(rows) // 128))
        flux = np.concatenate([aperture_flux(*store.gather(some)) for some in places])
        found["img"] = image_features(flux, info.sky_noise)
    return found


def read_domain(path: str | Path, info: ModelInfo) -> Domain:
    """The content of `write_domain`'s file, of networks that `info` describes.

    Raises
    ------
    CrosszError
        It is no such file.
    """
    widths = {"phot": len(BANDS) + len(info.columns), "img": len(BANDS)}
    seen = {"phot": info.sees_photometry, "img": info.sees_images}
    wanted = {f"{name}_{part}": widths[name] for name in widths if seen[name] for part in _PARTS}
    try:
        with safe_open(path, "np") as source:
            slices = {name: source.get_slice(name) for name in source.keys()}  # noqa: SIM118 (no mapping)
            found = {name: (one.get_dtype(), *one.get_shape()[1:]) for name, one in slices.items()}
            rows = {
                part: {one.get_shape()[0] for name, one in slices.items() if name.endswith(part)} for part in _PARTS
            }
            if found != {name: ("F32", width) for name, width in wanted.items()}:
                raise CrosszError(f"{path}: not the arrays that a domain is measured from; get the bundle again")
            if any(len(counts) > 1 or max(counts) > ROWS for counts in rows.values()):
                raise CrosszError(f"{path}: other numbers of objects than a domain has; get the bundle again")
            return Domain({name: source.get_tensor(name).astype(np.float64) for name in wanted})
    except (SafetensorError, OSError) as error:
        raise CrosszError(f"{path}: not readable ({error}); get it again") from error
