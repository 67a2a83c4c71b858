"""How far an object lies from the objects that networks were trained on, as a false-alarm rate.

The distance is the mean distance of the five nearest of some training objects. It is compared with that of objects that the
training did not see, those of the validation and test part: `domain_p` is the share of these that lie at least as far. So of
objects like the training ones, a share t has domain_p <= t, whatever the distance is.

Where training objects are few, as those of high redshift mostly are, everything lies far from them. So a distance is
measured in units of the usual one at the redshift of the five nearest, if the networks estimate redshifts. Otherwise nearly
all false alarms would be rare redshifts.

Photometry counts by its magnitudes, at most `DEPTH`, its fluxes over one band's, and extra columns; an image by the flux in
its middle over the noise. Distances are measured twice: of the scaled features, which sees galaxies best, and of the same
ones without their correlations, which sees redshifts beyond the training range best (docs/real-data.md has the
measurements, those of features of the network, too). The smaller of the two shares counts, and of an object with both kinds
of data the smallest of the four; the share of held-out objects whose smallest one is as small makes it a false-alarm rate
again.
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
"""At most so many training objects, and as many that were held out, are kept in a bundle."""
DEPTH = np.array([22.15, 23.13, 22.70, 22.20, 20.71])
"""Magnitudes of ugriz at which a point source has 5 sigma in an SDSS frame. Fainter ones are mostly noise."""
_NEIGHBOURS = 5
_FEWEST = 20  # of objects of either part with the same bands: 1 / (1 + 19) is the threshold
_CLIP = 20.0  # widths: how much farther than this something is does not matter
_CORE = 4.0  # widths: correlations are those of the objects within
_LEAST_VARIANCE = 0.01
_USUAL = 100  # held-out objects of similar redshift: their median distance is the usual one
_PARTS = ("train", "val")
_Y = "y_train"
_AT_ONCE = 512
_GROUP = 32  # distances of which the smallest is sought first


@dataclass(frozen=True, repr=False)
class Domain:
    """Objects of the training part that distances are measured from, and others that it did not see."""

    rows: Mapping[str, np.ndarray]
    """phot_train, phot_val [n, 5 + k]: magnitudes and extra columns; img_train, img_val [n, 5]: `image_features`. NaN: missing.
    Of networks that estimate redshifts also y_train [n], ln(1 + z). val: held out, of the validation and the test part."""
    threshold: float = THRESHOLD
    """The share of false alarms at which an object is flagged."""
    _views: dict[tuple, "_View | None"] = field(default_factory=dict)

    def p(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """The share [n] of held-out objects that lie at least as far as each object; NaN where nothing can be compared.

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
                self._views[key] = _view(name, self.rows, observed)
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
    """Distances by the features `observed`, of one kind of data; `y` [n] are ln(1 + z) of the training objects."""

    def __init__(self, kind: str, train: np.ndarray, val: np.ndarray, observed: np.ndarray, y: np.ndarray | None):
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
        self._y = np.zeros(len(train)) if y is None else y
        whole = np.isfinite(val[:, observed]).all(1)
        nearest = self._nearest(val[whole])
        self._usual = [_usual(*near) for near in nearest]
        self._limits = [np.sort(distance) for distance in self._in_units(nearest)]
        self.of_val = np.full(len(val), np.nan)
        self.of_val[whole] = self.share(val[whole], themselves=1)

    def share(self, values: np.ndarray, themselves: int = 0) -> np.ndarray:
        """The share [n] of held-out objects that are as far, by the distance by which they are fewer.

        Beyond the farthest of them the share goes on to 0 as one over the distance. An object that is one of them is not
        compared with itself: so many as `themselves` are left out.
        """
        shares = []
        for limits, distance in zip(self._limits, self._in_units(self._nearest(values)), strict=True):
            as_far = len(limits) - themselves - np.searchsorted(limits, distance * (1 - 1e-9), side="left")
            beyond = limits[-1 - themselves] / np.maximum(distance, 1e-9)
            shares.append(np.where(as_far > 0, as_far, beyond) / (len(limits) - themselves))
        return np.min(shares, axis=0)

    def _in_units(self, nearest: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        # Distances [n] over the usual ones.
        pairs = zip(nearest, self._usual, strict=True)
        return [distance / np.interp(y, *usual) for (distance, y), usual in pairs]

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        scaled = (features - self._middle) / self._width
        return np.clip(scaled, -_CLIP, _CLIP)[:, self._varies]

    def _nearest(self, values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        # By either metric, the mean distance [n] of the nearest training objects, and their mean y [n].
        scaled = self._scaled(self._columns(values))
        found = []
        for metric, train in zip(self._metrics, self._train, strict=True):
            square = (train**2).sum(1)
            near, of = [np.zeros(0)], [np.zeros((0, _NEIGHBOURS), int)]
            memory = torch.empty(_AT_ONCE, len(train), dtype=square.dtype)  # new memory takes as long as the product
            for some in torch.from_numpy(scaled @ metric).split(_AT_ONCE):
                squares, which = _smallest(torch.addmm(square, some, train.T, alpha=-2, out=memory[: len(some)]))
                near.append((squares + (some**2).sum(1, keepdim=True)).clamp(min=0).sqrt().mean(1).numpy())
                of.append(which.numpy())
            found.append((np.concatenate(near), self._y[np.concatenate(of)].mean(1)))
        return found


def _usual(distance: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Medians of y and of the distances of held-out objects, of each _USUAL of them that are neighbours in y."""
    order = np.argsort(y, kind="stable")
    size = min(_USUAL, len(order))
    middle, usual = (
        np.median(np.lib.stride_tricks.sliding_window_view(values[order], size), axis=1) for values in (y, distance)
    )
    return middle, np.maximum(usual, 1e-9)


def _smallest(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The _NEIGHBOURS smallest of each row of `values` [b, n], and their columns.

    They lie in the groups whose own smallest are smallest.
    """
    whole = values.shape[1] // _GROUP * _GROUP
    if whole <= _GROUP * _NEIGHBOURS:
        nearest = values.topk(_NEIGHBOURS, largest=False)
        return nearest.values, nearest.indices
    groups = values[:, :whole].unflatten(1, (-1, _GROUP))
    best = np.argpartition(groups.amin(2).numpy(), _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    columns = (best[:, :, None] * _GROUP + np.arange(_GROUP)).reshape(len(values), -1)
    rest = np.broadcast_to(np.arange(whole, values.shape[1]), (len(values), values.shape[1] - whole))
    columns = np.concatenate([columns, rest], axis=1)
    candidates = np.take_along_axis(values.numpy(), columns, axis=1)
    which = np.argpartition(candidates, _NEIGHBOURS, axis=1)[:, :_NEIGHBOURS]
    found, columns = (np.take_along_axis(array, which, axis=1) for array in (candidates, columns))
    return torch.from_numpy(found), torch.from_numpy(columns)


def _view(kind: str, rows: Mapping[str, np.ndarray], observed: np.ndarray) -> _View | None:
    """Distances by the features that are `observed`; None if too few training or held-out objects have them."""
    train, val, y = rows[f"{kind}_train"], rows[f"{kind}_val"], rows.get(_Y)
    have = np.isfinite(train[:, observed]).all(1)
    here = train[have]
    held_out = np.isfinite(val[:, observed]).all(1).sum()
    if not observed.any() or len(here) < _FEWEST or held_out < _FEWEST - 1:
        return None
    if not np.ptp(_derived(kind, observed, here), axis=0).any():
        return None
    return _View(kind, here, val, observed, None if y is None else y[have])


def _derived(kind: str, observed: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The features that are compared, of objects whose `observed` columns are known; of photometry, relative fluxes too."""
    if kind == "img":
        return values[:, observed]
    bands = observed[: len(BANDS)]
    values = np.concatenate([np.minimum(values[:, : len(BANDS)], DEPTH), values[:, len(BANDS) :]], axis=1)
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
        chosen = rows[(rows["subset"] == "train") == (part == "train")]
        if part == "train":
            chosen = subsample(chosen, networks.train["share"])
        chosen = subsample(chosen, min(1.0, ROWS / len(chosen)))
        if part == "train" and not networks.classes:
            arrays[_Y] = np.log1p(chosen["z"].to_numpy(np.float32))
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
    wanted: dict[str, tuple] = {
        f"{name}_{part}": ("F32", widths[name]) for name in widths if seen[name] for part in _PARTS
    }
    if not info.classes:
        wanted[_Y] = ("F32",)
    try:
        with safe_open(path, "np") as source:
            slices = {name: source.get_slice(name) for name in source.keys()}  # noqa: SIM118 (no mapping)
            found = {name: (one.get_dtype(), *one.get_shape()[1:]) for name, one in slices.items()}
            rows = {
                part: {one.get_shape()[0] for name, one in slices.items() if name.endswith(part)} for part in _PARTS
            }
            if found != wanted:
                raise CrosszError(f"{path}: not the arrays that a domain is measured from; get the bundle again")
            if any(len(counts) > 1 or max(counts) > ROWS for counts in rows.values()):
                raise CrosszError(f"{path}: other numbers of objects than a domain has; get the bundle again")
            arrays = {name: source.get_tensor(name).astype(np.float64) for name in wanted}
    except (SafetensorError, OSError) as error:
        raise CrosszError(f"{path}: not readable ({error}); get it again") from error
    if not np.isfinite(arrays.get(_Y, 0.0)).all():
        raise CrosszError(f"{path}: redshifts that are no numbers; get the bundle again")
    return Domain(arrays)
