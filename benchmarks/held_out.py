"""How good a whole bundle is on objects that none of its networks has seen: its coverage, PIT and scores.

    PYTHONPATH=src OMP_NUM_THREADS=1 python benchmarks/held_out.py --data DATA --folder FOLDER [--network sdss-dr5q] [--draws 1]

DATA is the folder of `make networks` (docs/networks.md). A fifth of the groups of objects is held out. A bundle with
the settings of a network that comes with crossz is made of the rest, and `crossz predict` estimates those that were
held out. A bundle that FOLDER holds already is not made again. `--draws` repeats this with other fifths, and scores all
objects together that were held out: of a small sample, one fifth tells a coverage to 3 %.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from common import table
from main_job import ROOT, job

from crossz.apply import cli
from crossz.catalog.objects import groups
from crossz.catalog.splits import split
from crossz.estimates.pdf import Mixture
from crossz.images import mat
from crossz.scores import metrics, pdf_scores

HELD_OUT = 0.2
"""The share of the objects."""
NUMBER = 1000
"""Of the first random split of those that are held out: none of a network's own."""
RADIUS_ARCSEC = 1.0
"""Of a group, as in `catalog.group_radius_arcsec`."""


def prepare(settings: dict, data: Path, folder: Path, number: int) -> pd.DataFrame:
    """Write the rows that train in the split of a number, and make `settings` name them; the others."""
    source = data / settings["catalog"]["files"]["sdss"].removeprefix("../data/")
    rows = pd.read_csv(source, dtype=str)
    objID = rows["objID"].astype("int64") if "objID" in rows else pd.Series(rows.index)
    rows, objID = rows[~objID.duplicated()], objID[~objID.duplicated()].to_numpy()
    place = (rows[name].astype(float).to_numpy() for name in ("ra", "dec"))
    group = groups(*place, np.full(len(rows), -1), objID, RADIUS_ARCSEC)
    held = split(group, (1 - HELD_OUT, 0, HELD_OUT), settings.get("seed", 0), number) == "test"
    folder.mkdir(parents=True, exist_ok=True)
    rows[~held].to_csv(folder / "known.csv", index=False)
    settings["catalog"]["files"]["sdss"] = str(folder / "known.csv")
    if "cutouts" in settings:
        settings["cutouts"]["folder"] = str(data / "cutouts/mat")
    return rows[held].reset_index(drop=True)


def asked(held: pd.DataFrame, settings: dict, folder: Path) -> Iterator[list[str]]:
    """What `crossz predict` is asked: all objects by photometry; if there are images, with these too, and by these alone."""
    targets = folder / "held.csv"
    held.drop(columns=["z", "zErr"], errors="ignore").to_csv(targets, index=False)
    yield [str(targets)]
    if "cutouts" in settings:
        files, images = mat.cutouts_by_spectrum(settings["cutouts"]["folder"]), folder / "held.npy"
        np.save(images, np.stack([mat.read_mat(files[int(number)]) for number in held["specObjID"]]))
        yield [str(targets), "--cutouts", str(images)]
        held[["objID"]].to_csv(folder / "alone.csv", index=False)
        yield [str(folder / "alone.csv"), "--cutouts", str(images)]


def scored(found: pd.DataFrame) -> tuple[str, ...]:
    """A line of the table: of the objects with an estimate, whose true redshifts are `z`."""
    found = found[found["status"] == "ok"]
    z = found["z"].to_numpy()
    of_pdf = pdf_scores.score(Mixture(*(np.stack(found[f"pdf_{name}"]) for name in Mixture._fields)), z)
    rmse, nmad = (
        metrics.score(z, found[name].to_numpy())[key] for name, key in (("z_phot", "rmse"), ("z_median", "sigma_nmad"))
    )
    shares = [
        f"{100 * of_pdf[f'coverage_{level}']:.1f} ± {(level * (100 - level) / len(z)) ** 0.5:.1f}" for level in (68, 95)
    ]
    limit = f"{100 * found['z_at_end'].mean():.1f}" if "z_at_end" in found else ""
    outside = f"{100 * found['out_of_domain'].mean():.1f}"
    errors = (f"{value:.4f}" for value in (rmse, nmad, of_pdf["crps"]))
    return (found["inputs"].iloc[0], f"{len(z):,}", *errors, *shares, f"{of_pdf['pit_ks']:.3f}", outside, limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="what is made is kept there")
    parser.add_argument("--network", default="sdss-dr5q", help="a file of config/networks")
    parser.add_argument("--draws", type=int, default=1, help="how many times a fifth is held out")
    arguments = parser.parse_args()
    found: dict[str, list[pd.DataFrame]] = {}
    for number in range(NUMBER, NUMBER + arguments.draws):
        folder = arguments.folder.resolve() / arguments.network / str(number)
        settings = yaml.safe_load((ROOT / f"config/networks/{arguments.network}.yaml").read_text())
        held = prepare(settings, arguments.data.resolve(), folder, number)
        bundle = f"results/bundle/{arguments.network}"
        job(folder, settings, [bundle], cores=1)
        for words in asked(held, settings, folder):
            cli.main(["predict", str(folder / bundle), words[0], str(folder / "out.parquet"), "--no-page", *words[1:]])
            rows = pd.read_parquet(folder / "out.parquet").assign(z=held["z"].astype(float))
            found.setdefault(rows["inputs"].iloc[0], []).append(rows)
    head = ["inputs", "objects", "RMSE", "sigma_nmad", "CRPS", "68 % sets (%)", "95 % sets (%)", "PIT KS"]
    lines = [scored(pd.concat(parts, ignore_index=True)) for parts in found.values()]
    print(table([*head, "out_of_domain (%)", "z_at_end (%)"], lines))


if __name__ == "__main__":
    main()
