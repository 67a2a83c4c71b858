"""The rows of SpecObjAll and PhotoObjAll, with everything that makes real ones awkward, and the truth behind them."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from crossz.core.constants import BANDS
from crossz.sdss import identifiers
from crossz.sdss.magnitudes import asinh_magnitude
from crossz.sky import filters, frames, geometry, infrared
from crossz.sky.sources import Measured, Sources

MISSING = -9999.0
"""What SDSS writes for a magnitude that was not measured."""
BASE_FLAGS = 0x10000000 | 0x10000  # BINNED1, and a common bit below it
SHARES = {
    "stars": 0.03,
    "galaxies": 0.03,
    "second_detections_with_spectrum": 0.04,
    "repeated_spectra": 0.06,
    "failed_redshifts": 0.01,
    "uncertain_redshifts": 0.04,
    "z_warnings": 0.05,
    "wrong_redshifts": 0.30,
    "misclassified": 0.015,
    "unclean": 0.05,
    "extended_profiles": 0.02,
    "missing_magnitudes": 0.008,
    "null_magnitudes": 0.004,
    "null_flags": 0.005,
}
"""How many rows of a strip are awkward, as a share of its quasars (wrong_redshifts: of its z_warnings).

At least one of each kind."""
REDUCTIONS = {"legacy": ("26", 640, 300, 2700, 51600), "eboss": ("v5_13_2", 1000, 3600, 8900, 55500)}
"""By survey: run2d, fibers a plate, first plate, number of plates, first MJD."""


class Rows(NamedTuple):
    """What one strip adds to the tables."""

    photo: pd.DataFrame
    spec: pd.DataFrame
    wise: pd.DataFrame
    truth: pd.DataFrame
    counts: dict[str, int]


def _sample(rng: np.random.Generator, pool: np.ndarray, share: float, of: int | None = None) -> np.ndarray:
    """A share of `pool`, at least one (of `of` instead of its own size, where given), without repetition."""
    wanted = max(1, round(share * (len(pool) if of is None else of)))
    return rng.choice(pool, min(wanted, len(pool)), replace=False)


def choose_targets(rng: np.random.Generator, sources: Sources, strip: geometry.Strip) -> np.ndarray:
    """Indices of the sources that the catalog lists.

    These are every quasar, a few stars and galaxies with spectra, and all that are wanted.
    """
    n = strip.quasars
    r = 22.5 - 2.5 * np.log10(sources.flux[:, BANDS.index("r")])
    x, y = sources.pixels[..., 0], sources.pixels[..., 1]
    inside = np.all((x > 0) & (x < strip.columns - 1) & (y > 0) & (y < strip.rows - 1), axis=1)
    bright = np.flatnonzero(inside & (r > 16.5) & (r < 21))
    stars = bright[(bright >= n) & (bright < sources.galaxy0)]
    galaxies = bright[bright >= sources.galaxy0]
    galaxies = galaxies[sources.host_of[galaxies - sources.galaxy0] < 0]
    chosen = [_sample(rng, pool, SHARES[kind], n) for kind, pool in (("stars", stars), ("galaxies", galaxies))]
    listed = np.concatenate([np.arange(n), *(np.sort(pool) for pool in chosen)])
    return np.concatenate([listed, np.setdiff1d(sources.wanted, listed)])


def rows(
    rng: np.random.Generator,
    strip: geometry.Strip,
    tangents: list[list[geometry.Tangent]],
    sources: Sources,
    measured: Measured,
    infrared_rng: np.random.Generator,
) -> Rows:
    """The rows of one strip in the tables and in the truth.

    Parameters
    ----------
    rng
        The random generator of the strip's rows.
    strip
        Which strip.
    tangents
        The WCS of every frame, [field][band].
    sources
        What shines on the strip.
    measured
        What its images give.
    infrared_rng
        Another random generator, of what WISE measured.
    """
    photo = _photo(rng, strip, tangents, sources, measured)
    spec = _spec(rng, strip, sources, photo)
    counts = _spoil_photo(rng, photo, strip.quasars) | _counts(photo, spec)
    truth = _truth(strip, sources, photo, spec, measured.fwhm)
    wise = infrared.rows(infrared_rng, sources, photo)
    return Rows(photo.drop(columns="source"), spec.drop(columns="source"), wise, truth, counts)


def _photo(
    rng: np.random.Generator,
    strip: geometry.Strip,
    tangents: list[list[geometry.Tangent]],
    sources: Sources,
    measured: Measured,
) -> pd.DataFrame:
    """One row per detection.

    First the primary one of every target, then those in the neighbour field's half of an overlap.
    """
    targets, psf_flux, psf_error = measured.targets, measured.psf_flux, measured.psf_error
    at, field, pixels = _detections(strip, sources.field[targets], sources.pixels[targets] + measured.shift)
    mode = np.where(np.arange(len(at)) < len(targets), 1, 2)
    seen = np.stack([_seen(tangents, field, pixels[:, b], b) for b in range(len(BANDS))], axis=1)
    ra, dec = seen[:, BANDS.index("r")].T
    offset = (seen - seen[:, [BANDS.index("r")]]) * 3600
    offset[..., 0] *= np.cos(np.deg2rad(dec))[:, None]
    time = np.array([[frames.time(strip, number, band) for band in BANDS] for number in range(strip.fields)])

    order = np.argsort(field, kind="stable")
    obj = np.empty(len(at), dtype=int)
    obj[order] = np.arange(len(at)) - np.searchsorted(field[order], field[order])
    number = geometry.FIRST_FIELD + field
    source = targets[at]
    photo = {
        "source": source,
        "objID": identifiers.obj_id(strip.run, strip.camcol, number, 2 * obj + 14),
        "run": strip.run,
        "rerun": 301,
        "camcol": strip.camcol,
        "field": number,
        "obj": 2 * obj + 14,
        "mode": mode,
        "type": np.where(source < sources.galaxy0, 6, 3),
        "clean": measured.clean[at].astype(int),
        "flags": BASE_FLAGS | measured.flags[at] | rng.integers(0, 1 << 10, len(at)) << 36,
        "thing_id": 1_000_000 + 100_000 * strip.number + source,
        "ra": ra,
        "dec": dec,
    }
    size = np.concatenate([np.zeros(sources.galaxy0), sources.shapes[:, 0]])[source]
    photo["petroRad_r"] = np.hypot(np.exp(rng.normal(np.log(1.55), 0.12, len(at))), 2 * size)
    extinction = sources.ebv[source][:, None] * filters.EXTINCTION
    psfMag, psfMagErr = asinh_magnitude(psf_flux[at], psf_error[at])
    fitted = None if measured.model_flux is None else asinh_magnitude(measured.model_flux[at], psf_error[at])[0]
    model = _model_magnitudes(
        rng, sources, source, fitted=fitted, psfMag=psfMag, psfMagErr=psfMagErr, psf_error=psf_error[at]
    )
    photo["petroMag_r"] = model[:, BANDS.index("r")].round(5)
    for name, values in (
        ("psfMag", psfMag.round(5)),
        ("psfMagErr", psfMagErr.round(6)),
        ("dered", (model - extinction).round(5)),
        ("extinction", extinction.round(6)),
        ("rowc", pixels[..., 1] + 0.5),
        ("colc", pixels[..., 0] + 0.5),
        ("offsetRa", offset[..., 0].round(6)),
        ("offsetDec", offset[..., 1].round(6)),
        ("TAI", (time[field] * 86400).round(2)),
    ):
        photo |= {f"{name}_{band}": values[:, b] for b, band in enumerate(BANDS)}
    return pd.DataFrame(photo)


def _detections(
    strip: geometry.Strip, field: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which target each detection is, its field and its pixels [n, 5, 2]: first those in the targets' own fields."""
    parts = [(np.arange(len(field)), field, pixels)]
    for step in (-1, 1):
        shifted = pixels - [0, step * strip.step]
        y = shifted[..., 1]
        there = np.all((y >= 0) & (y <= strip.rows - 1), axis=1)
        there &= (field + step >= 0) & (field + step < strip.fields)
        parts.append((np.flatnonzero(there), field[there] + step, shifted[there]))
    at, field, pixels = (np.concatenate(part) for part in zip(*parts, strict=True))
    return at, field, pixels


def _model_magnitudes(
    rng: np.random.Generator,
    sources: Sources,
    source: np.ndarray,
    *,
    fitted: np.ndarray | None,
    psfMag: np.ndarray,
    psfMagErr: np.ndarray,
    psf_error: np.ndarray,
) -> np.ndarray:
    """Model magnitudes [n, 5]: a model holds all of a galaxy's light, the PSF its core."""
    drawn = psfMag + rng.normal(0, 1, psfMag.shape) * np.hypot(0.01, 0.3 * psfMagErr)
    model = drawn if fitted is None else fitted.copy()
    extended = np.isin(source, sources.wanted) & (source >= sources.galaxy0)
    if extended.any():
        error = psf_error[extended]
        total = sources.flux[source[extended]] + rng.normal(0, 1.5, error.shape) * error
        model[extended] = asinh_magnitude(total, error)[0]
    return model


def _seen(tangents: list[list[geometry.Tangent]], field: np.ndarray, xy: np.ndarray, b: int) -> np.ndarray:
    """Sky positions [n, 2] of pixels [n, 2] of band number `b` in their fields."""
    sky = np.empty_like(xy)
    for number in np.unique(field):
        here = field == number
        sky[here] = tangents[number][b].wcs().all_pix2world(xy[here], 0)
    return sky


def _spoil_photo(rng: np.random.Generator, photo: pd.DataFrame, quasars: int) -> dict[str, int]:
    """Make rows of quasars awkward, in place: unclean, extended, without a band, without flags. How many of each."""
    rows = np.flatnonzero((photo["source"] < quasars) & (photo["mode"] == 1))
    photo.loc[_sample(rng, rows, SHARES["unclean"]), "clean"] = 0
    extended = _sample(rng, rows, SHARES["extended_profiles"])
    photo.loc[extended, "petroRad_r"] = rng.uniform(5.1, 12, len(extended))
    photo["flags"] = photo["flags"].astype("Int64")
    without_flags = _sample(rng, rows, SHARES["null_flags"])
    photo.loc[without_flags, "flags"] = pd.NA
    missing = _sample(rng, rows, SHARES["missing_magnitudes"])
    for row, band in zip(missing, rng.choice(list("uz"), len(missing)), strict=True):
        photo.loc[row, [f"psfMag_{band}", f"psfMagErr_{band}", f"dered_{band}"]] = MISSING
    null = _sample(rng, np.setdiff1d(rows, missing), SHARES["null_magnitudes"])
    photo.loc[null, ["psfMag_z", "psfMagErr_z", "dered_z"]] = np.nan
    return {"missing_magnitudes": len(missing), "null_magnitudes": len(null), "null_flags": len(without_flags)}


_SN_SCALE = np.array([2.0, 8.0, 9.0, 9.0, 5.0])
"""Median S/N per pixel, times sqrt(1 + 1), of a source as bright as the sky in the fiber: magnitude 20."""


def _spec(rng: np.random.Generator, strip: geometry.Strip, sources: Sources, photo: pd.DataFrame) -> pd.DataFrame:
    """One row per spectrum of a target, `source` telling whose: first ones, repetitions, those of second detections."""
    n = strip.quasars
    best = photo["objID"].to_numpy()
    first = np.flatnonzero(photo["mode"] == 1)
    second = np.flatnonzero((photo["mode"] == 2) & (photo["source"] < n))
    again = _sample(rng, first[:n], SHARES["repeated_spectra"])
    of = np.concatenate([first, again, _sample(rng, second, SHARES["second_detections_with_spectrum"], n)])
    source = photo["source"].to_numpy()[of]
    true_z = np.concatenate(
        [sources.quasars["z"], rng.normal(0, 3e-4, sources.galaxy0 - n), np.full(len(sources.shapes), np.nan)]
    )
    drawn = np.clip(rng.lognormal(np.log(0.25), 0.5, len(sources.shapes)), 0.02, 1.1)
    true_z[sources.galaxy0 :] = np.where(np.isnan(sources.galaxy_z), drawn, sources.galaxy_z)
    kind = np.where(np.arange(len(sources.flux)) < n, "QSO", "STAR").astype(object)
    kind[sources.galaxy0 :] = "GALAXY"

    zErr = np.clip(rng.lognormal(np.log(2.5e-4), 0.5, len(of)), 2e-5, 9.5e-4)
    quasar = np.flatnonzero(source < n)
    uncertain = _sample(rng, quasar, SHARES["uncertain_redshifts"])
    zErr[uncertain] = rng.uniform(1.1e-3, 6e-3, len(uncertain))
    z = true_z[source] + rng.normal(0, 1, len(of)) * zErr
    warned = _sample(rng, quasar, SHARES["z_warnings"])
    zWarning = np.zeros(len(of), dtype=int)
    zWarning[warned] = rng.choice([4, 4, 4, 16, 20, 32], len(warned))
    wrong = _sample(rng, warned, SHARES["wrong_redshifts"])
    z[wrong] = rng.uniform(0.3, 4.5, len(wrong))
    failed = _sample(rng, np.setdiff1d(quasar, wrong), SHARES["failed_redshifts"])
    zErr[failed] = -1.0
    kind = kind[source]
    misclassified = _sample(rng, quasar, SHARES["misclassified"])
    kind[misclassified] = np.where(np.arange(len(misclassified)) % 2 == 0, "GALAXY", "STAR")

    offset = rng.normal(0, 0.05 / 3600, (len(of), 2))
    spec = pd.DataFrame({
        "source": source,
        "bestObjID": best[of],
        "class": kind,
        "z": z.round(6),
        "zErr": zErr.round(7),
        "zWarning": zWarning,
        **_plates(rng, strip, photo, of),
        "ra": photo["ra"].to_numpy()[of] + offset[:, 0],
        "dec": photo["dec"].to_numpy()[of] + offset[:, 1],
    })  # fmt: skip
    signal = sources.flux[source] / 10.0  # magnitude 20 = 10 nmgy
    exposure = np.exp(rng.normal(0, 0.2, (len(of), 1)))
    sn = _SN_SCALE * signal / np.sqrt(signal + 1) * exposure
    spec[[f"snMedian_{band}" for band in BANDS]] = sn.round(4)
    ids = spec[["plate", "mjd", "fiberID", "run2d"]].itertuples(index=False)
    spec.insert(0, "specObjID", [str(identifiers.spec_obj_id(*row)) for row in ids])
    return spec


def _plates(
    rng: np.random.Generator, strip: geometry.Strip, photo: pd.DataFrame, of: np.ndarray
) -> dict[str, np.ndarray]:
    """plate, mjd, fiberID, run2d of each spectrum: half the bright ones, and none of the faint, are SDSS-I/II."""
    survey = np.where((photo["psfMag_i"].to_numpy()[of] < 20) & (rng.random(len(of)) < 0.5), "legacy", "eboss")
    result = {name: np.empty(len(of), dtype=int) for name in ("plate", "mjd", "fiberID")}
    result["run2d"] = np.empty(len(of), dtype=object)
    for name, (run2d, fibers, plate0, plates, mjd) in REDUCTIONS.items():
        here = np.flatnonzero(survey == name)
        place = np.arange(len(here))
        result["plate"][here] = plate0 + (5400 + 613 * strip.number + place // fibers) % plates
        result["mjd"][here] = mjd + strip.number
        result["fiberID"][here] = place % fibers + 1
        result["run2d"][here] = run2d
    return result


def _truth(
    strip: geometry.Strip, sources: Sources, photo: pd.DataFrame, spec: pd.DataFrame, fwhm: np.ndarray
) -> pd.DataFrame:
    """One row per quasar: where and what it is, its fluxes below the dust, its PSF, and its rows of SpecObjAll."""
    n = strip.quasars
    primary = photo[(photo["mode"] == 1) & (photo["source"] < n)].set_index("source")
    truth = pd.DataFrame({"thing_id": primary["thing_id"], "objID": primary["objID"]})
    truth["ra"], truth["dec"] = sources.sky[:n].T
    truth[["run", "camcol", "field"]] = primary[["run", "camcol", "field"]]
    truth["ebv"] = sources.ebv[:n]
    truth = pd.concat([truth, sources.quasars], axis=1)
    truth[[f"flux_{band}" for band in BANDS]] = sources.flux[:n]
    for b, band in enumerate(BANDS):
        truth[f"fwhm_{band}"] = fwhm[b]
    own = spec[spec["source"] < n]
    records = own.drop(columns="source").to_dict("records")
    by_source: dict[int, list[dict]] = {source: [] for source in range(n)}
    for source, record in zip(own["source"], records, strict=True):
        by_source[source].append(record)
    truth["spectra"] = pd.Series(list(by_source.values()), index=truth.index)
    return truth.reset_index(drop=True)


def _counts(photo: pd.DataFrame, spec: pd.DataFrame) -> dict[str, int]:
    """How many rows of each awkward kind a strip's tables hold, as a reader would count them."""
    qso = spec[spec["class"] == "QSO"]
    return {
        "photo_rows": len(photo),
        "spec_rows": len(spec),
        "second_detections": int((photo["mode"] == 2).sum()),
        "unclean": int((photo["clean"] == 0).sum()),
        "extended_profiles": int((photo["petroRad_r"] >= 5).sum()),
        "repeated_bestObjID": int(spec["bestObjID"].duplicated().sum()),
        "failed_redshifts": int((spec["zErr"] == -1).sum()),
        "uncertain_redshifts": int((spec["zErr"] >= 1e-3).sum()),
        "z_warnings": int((spec["zWarning"] != 0).sum()),
        "class_QSO": len(qso),
        "class_GALAXY": int((spec["class"] == "GALAXY").sum()),
        "class_STAR": int((spec["class"] == "STAR").sum()),
        "z_outside": int(((qso["z"] < 1) | (qso["z"] >= 5)).sum()),
    }
