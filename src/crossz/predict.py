"""Redshifts of objects that have none: the networks of all splits on a table of photometry, their PDFs as one."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from crossz import BANDS, catalog, classes, machine, pdf
from crossz import features as ft
from crossz.errors import CrosszError
from crossz.files import atomic_path
from crossz.models.crossmodal import CrossModal
from crossz.samples import mixture_columns
from crossz.training import load_networks, predict_photometry

SHARES = (0.68, 0.95)
"""Probabilities of the central intervals of z that are written."""
_PLACE = ("objID", "specObjID", "ra", "dec")


def photometry_of(targets: pd.DataFrame, magnitudes: str, columns: Sequence[str] = ()) -> ft.Photometry:
    """Photometry of new objects: what is no number counts as missing, and extinctions are needed for psfMag alone.

    Raises CrosszError when a column is absent or holds no number at all.
    """
    numbers = targets.drop(columns=[name for name in (*_PLACE, "class", "run2d") if name in targets])
    numbers = numbers.apply(pd.to_numeric, errors="coerce")
    unused = {f"extinction_{band}": 0.0 for band in BANDS if f"extinction_{band}" not in numbers}
    return ft.photometry(numbers.assign(**unused) if magnitudes == "dered_model" else numbers, magnitudes, columns)


def redshifts(targets: pd.DataFrame, ensemble: Iterable[tuple[list[CrossModal], dict]]) -> pd.DataFrame:
    """A row for each row of `targets`, in their order, by the networks of all splits: their PDFs are averaged.

    `ensemble`: what training.load_networks gives of each split.

    Columns: row; objID, specObjID, ra, dec where the targets have them; status (ok, or no_photometry: no band has a magnitude and
    an error); missing (letters of bands without); unusual (a feature beyond all that the networks have seen: not to be trusted); inputs
    (phot+img_gen: the image's features are generated from photometry); z_phot, from the mean of ln(1 + z); z_median, z_low_68 and so on, the PDF
    and its two highest peaks (samples.mixture_columns), which networks with a point head do not have.
    Networks of classes: class_phot and p_{class} instead. NaN without photometry.
    Raises CrosszError when the targets lack a column.
    """
    estimates, unlike = [], np.zeros(len(targets), bool)
    for nets, info in ensemble:
        phot = photometry_of(targets, info["magnitudes"], info.get("columns", ()))
        inputs, estimate = predict_photometry(nets, phot, info)
        estimates.append(estimate)
        for name, values in zip(("x_mag", "x_colour"), ft.tokens(phot), strict=True):
            unlike |= ft.unlike(info["scalers"][name], values)
    known = ~phot.missing.all(1)
    columns = {"row": np.arange(len(targets))} | {name: targets[name] for name in _PLACE if name in targets}
    columns["status"] = np.where(known, "ok", "no_photometry")
    columns["missing"] = ["".join(band for band, gone in zip(BANDS, row, strict=True) if gone) for row in phot.missing]
    columns |= {"unusual": known & unlike, "inputs": np.where(known, inputs, "")}
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


def write_redshifts(
    targets_path: str | Path,
    mapped: dict[str, str],
    model_paths: Sequence[str | Path],
    info_paths: Sequence[str | Path],
    path: str | Path,
    threads: int = 1,
) -> None:
    """Write `redshifts` of the rows of a CSV, FITS or Parquet file; `mapped`: our column's name to the file's."""
    machine.deterministic(threads)
    networks = [load_networks(*paths, machine.device()) for paths in zip(model_paths, info_paths, strict=True)]
    further = networks[0][1].get("columns", ())
    targets = catalog.read_table(targets_path, mapped, further).to_pandas()
    try:
        table = redshifts(targets, networks)
    except CrosszError as error:
        raise CrosszError(f"{targets_path}: {error}") from error
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False)
    known = int((table["status"] == "ok").sum())
    print(
        f"{len(table):,} targets: {known:,} with a redshift, {len(table) - known:,} without photometry; "
        f"{int(table['unusual'].sum()):,} unlike all that the networks have seen",
        flush=True,
    )
