"""The three kinds of estimates of n objects, with the same methods: points, PDFs and class probabilities.

A truth is what an estimate is compared with: redshifts [n] of points and PDFs, labels [n] int64 of class probabilities.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from crossz.catalog.class_names import cleaned_class
from crossz.estimates import classes, pdf
from crossz.estimates.pdf import Mixture


def dz(z_phot: np.ndarray, z_spec: np.ndarray) -> np.ndarray:
    """Signed normalised error (z_phot - z_spec) / (1 + z_spec) [n] (Zhang et al. 2023, eq. 11)."""
    z_phot, z_spec = np.asarray(z_phot, float), np.asarray(z_spec, float)
    return (z_phot - z_spec) / (1 + z_spec)


def _rmse(z_phot: np.ndarray, z_spec: np.ndarray) -> float:
    return float(np.sqrt(np.mean(dz(z_phot, z_spec) ** 2)))


@dataclass(frozen=True)
class Point:
    """Redshifts z_phot [n]."""

    z_phot: np.ndarray

    def __len__(self) -> int:
        return len(self.z_phot)

    @property
    def z_median(self) -> np.ndarray:
        """The same redshifts [n]: half of the probability of a point is on each side."""
        return self.z_phot

    @classmethod
    def mean(cls, members: Sequence[Self]) -> Self:
        """The mean of several estimates of the same objects."""
        return cls(np.mean([member.z_phot for member in members], axis=0))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Estimates of several sets of objects as one, in their order."""
        return cls(np.concatenate([part.z_phot for part in parts]))

    def take(self, rows: np.ndarray) -> Self:
        """The estimates of the objects `rows` [m], in that order."""
        return replace(self, z_phot=self.z_phot[rows])

    def finite(self) -> np.ndarray:
        """Whether each estimate [n] is a number."""
        return np.isfinite(self.z_phot)

    def error(self, truth: np.ndarray) -> float:
        """RMSE of dz."""
        return _rmse(self.z_phot, truth)

    def score(self, truth: np.ndarray) -> float:
        """What chooses the epoch of a training: RMSE of dz."""
        return self.error(truth)

    def fit_temperature(self, truth: np.ndarray) -> float | None:
        """None: a point has no width to recalibrate."""
        return None

    def recalibrated(self, temperature: float | None) -> Self:
        """The same points."""
        return self

    def columns(self, shares: Sequence[float] = ()) -> dict[str, np.ndarray]:
        """Column z_phot."""
        return {"z_phot": self.z_phot}

    def truth_columns(self, rows: pd.DataFrame) -> dict[str, np.ndarray | pd.Series]:
        """What catalog `rows` say of the same objects: z_spec."""
        return {"z_spec": rows["z"]}

    def summary(self) -> dict[str, list[float]]:
        """Numbers that tell two networks apart: y = ln(1 + z_phot) of each object."""
        return {"y": np.log1p(self.z_phot).round(6).tolist()}


@dataclass(frozen=True)
class Pdf:
    """Gaussian mixtures in ln(1 + z); z_phot [n] is their `pdf.z_mean`."""

    mixture: Mixture

    def __len__(self) -> int:
        return len(self.mixture.weight)

    @property
    def z_phot(self) -> np.ndarray:
        """Redshift [n] with the smallest expected square of dz, which is what the RMSE asks for."""
        return pdf.z_mean(self.mixture)

    @property
    def z_median(self) -> np.ndarray:
        """Redshift [n] with half of the probability on each side. It minimises the expected |dy|."""
        return np.expm1(pdf.quantiles(self.mixture, [0.5])[:, 0])

    @classmethod
    def mean(cls, members: Sequence[Self]) -> Self:
        """The mean of several PDFs of the same objects, which is a mixture of all their components."""
        return cls(pdf.ensemble([member.mixture for member in members]))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Estimates of several sets of objects as one, in their order."""
        columns = zip(*(part.mixture for part in parts), strict=True)
        return cls(Mixture(*(np.concatenate(arrays) for arrays in columns)))

    def take(self, rows: np.ndarray) -> Self:
        """The estimates of the objects `rows` [m], in that order."""
        return replace(self, mixture=Mixture(*(array[rows] for array in self.mixture)))

    def finite(self) -> np.ndarray:
        """Whether each estimate [n] is made of numbers."""
        return np.isfinite(self.z_phot)

    def error(self, truth: np.ndarray) -> float:
        """RMSE of dz of z_phot."""
        return _rmse(self.z_phot, truth)

    def score(self, truth: np.ndarray) -> float:
        """What chooses the epoch: mean CRPS at y = ln(1 + z), which a few outliers do not rule as they do an RMSE."""
        return float(pdf.crps(self.mixture, np.log1p(truth)).mean())

    def fit_temperature(self, truth: np.ndarray) -> float | None:
        """The factor of all sigmas that gives the smallest mean CRPS."""
        return pdf.fit_temperature(self.mixture, np.log1p(truth))

    def recalibrated(self, temperature: float | None) -> Self:
        """The PDFs with every sigma times `temperature`."""
        return self if temperature is None else replace(self, mixture=pdf.temperature_scaled(self.mixture, temperature))

    def columns(self, shares: Sequence[float] = ()) -> dict[str, np.ndarray]:
        """Columns of the estimates z_phot (= z_mean), z_mean, z_median and z_mode; odds; the PDF and its peaks.

        odds: the probability near z_mode (`pdf.odds`). With `shares` also central intervals z_low_68, z_high_68 ...
        The PDF: weight_k, mean_k, sigma_k. Its two most probable peaks: z_peak_1 (= z_mode), p_peak_1, z_peak_2, p_peak_2.
        """
        z, probability = pdf.peaks(self.mixture)
        levels = [0.5, *((1 + side * share) / 2 for share in shares for side in (-1, 1))]
        names = [f"z_{side}_{100 * share:.0f}" for share in shares for side in ("low", "high")]
        z_median, *ends = np.expm1(pdf.quantiles(self.mixture, levels)).T
        z_mean, z_mode = self.z_phot, z[:, 0]
        columns = {"z_phot": z_mean, "z_mean": z_mean, "z_median": z_median, "z_mode": z_mode}
        columns |= {"odds": pdf.odds(self.mixture, z_mode), **dict(zip(names, ends, strict=True))}
        for name, array in self.mixture._asdict().items():
            columns |= {f"{name}_{k}": array[:, k] for k in range(array.shape[1])}
        for k in (0, 1):
            columns |= {f"z_peak_{k + 1}": z[:, k], f"p_peak_{k + 1}": probability[:, k]}
        return columns

    def truth_columns(self, rows: pd.DataFrame) -> dict[str, np.ndarray | pd.Series]:
        """What catalog `rows` say of the same objects: z_spec."""
        return {"z_spec": rows["z"]}

    def summary(self) -> dict[str, list[float]]:
        """Numbers that tell two networks apart: mean y and standard deviation sd of ln(1 + z) of each object."""
        weight, mean, sigma = self.mixture
        variance = (weight * (sigma**2 + mean**2)).sum(1) - (weight * mean).sum(1) ** 2
        return {
            "y": pdf.mean(self.mixture).round(6).tolist(),
            "sd": np.sqrt(np.maximum(variance, 0)).round(6).tolist(),
        }


@dataclass(frozen=True)
class ClassProbabilities:
    """Probabilities [n, c] of the classes `names`."""

    probability: np.ndarray
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.probability)

    @classmethod
    def mean(cls, members: Sequence[Self]) -> Self:
        """The mean of several estimates of the same objects."""
        return cls(np.mean([member.probability for member in members], axis=0), members[0].names)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Estimates of several sets of objects as one, in their order."""
        return cls(np.concatenate([part.probability for part in parts]), parts[0].names)

    def take(self, rows: np.ndarray) -> Self:
        """The estimates of the objects `rows` [m], in that order."""
        return replace(self, probability=self.probability[rows])

    def finite(self) -> np.ndarray:
        """Whether the probabilities of each object [n] are numbers."""
        return np.isfinite(self.probability).all(1)

    def error(self, truth: np.ndarray) -> float:
        """The share of wrong classes."""
        return float(np.mean(self.probability.argmax(1) != truth))

    def score(self, truth: np.ndarray) -> float:
        """What chooses the epoch: the log loss."""
        return classes.log_loss(self.probability, truth)

    def fit_temperature(self, truth: np.ndarray) -> float | None:
        """The temperature of the smallest log loss (Guo et al. 2017)."""
        return classes.fit_temperature(self.probability, truth)

    def recalibrated(self, temperature: float | None) -> Self:
        """The probabilities at `temperature`."""
        if temperature is None:
            return self
        return replace(self, probability=classes.temperature_scaled(self.probability, temperature))

    def columns(self, shares: Sequence[float] = ()) -> dict[str, np.ndarray]:
        """Columns class_phot, the most probable class, and p_{class} of each."""
        return classes.columns(self.probability, self.names)

    def truth_columns(self, rows: pd.DataFrame) -> dict[str, np.ndarray | pd.Series]:
        """What catalog `rows` say of the same objects: class."""
        return {"class": cleaned_class(rows["class"]).astype(object)}

    def summary(self) -> dict[str, list[float]]:
        """Numbers that tell two networks apart: the probabilities p of each object."""
        return {"p": self.probability.round(6).tolist()}


Estimate = Point | Pdf | ClassProbabilities


def mean_of(members: Sequence[Estimate]) -> Estimate:
    """The mean of several estimates of the same objects, which are of one kind."""
    kind: Any = type(members[0])
    mean: Estimate = kind.mean(members)
    return mean


def joined(parts: Sequence[Estimate]) -> Estimate:
    """Estimates of one kind of several sets of objects as one, in their order."""
    kind: Any = type(parts[0])
    estimate: Estimate = kind.joined(parts)
    return estimate
