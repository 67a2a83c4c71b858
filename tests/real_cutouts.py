"""The real quasars with cutouts, as the files that a training reads."""

from pathlib import Path

import numpy as np
import pandas as pd
import toy
import yaml
from helpers import ROOT

from crossz.catalog import splits
from crossz.catalog.columns import conform
from crossz.catalog.lists import read_table
from crossz.catalog.objects import dedupe, groups
from crossz.images import mat
from crossz.images.index import write_index


def objects(sdss: Path) -> pd.DataFrame:
    """The authors' 1,264 objects, each with its group."""
    source = sdss / "cutouts/catalog.csv"
    table, _ = dedupe(conform(read_table(source, {}), str(source)).to_pandas())
    nobody = np.full(len(table), -1)
    places = (table[name].to_numpy() for name in ("ra", "dec"))
    return table.assign(group=groups(*places, nobody, table["objID"].to_numpy(), 1.0))


def images(sdss: Path, folder: Path, table: pd.DataFrame) -> tuple[Path, list[Path]]:
    """The index of the cutouts of the spectra of `table`, and the cutout files, in a new `folder`."""
    folder.mkdir(parents=True)
    table.assign(rerun=301, run=1, camcol=1, field=1).to_parquet(folder / "plan.parquet")
    plan, cutouts = folder / "plan.parquet", folder / "cutouts.arrow"
    mat.write_mat_cutouts(plan=plan, folder=sdss / "cutouts/mat", cutouts=cutouts, counts=folder / "counts.json")
    written = {"index": folder / "index.parquet", "counts": folder / "index.json", "missing": folder / "missing.csv"}
    write_index(cutouts=[cutouts], plan=[plan], **written)
    return written["index"], [cutouts]


def survey(sdss: Path, folder: Path, table: pd.DataFrame) -> toy.Survey:
    """Catalog, one split of 60/20/20 and images of the objects of `table`, in a new `folder`."""
    found = toy.Survey(folder / "catalog.parquet", folder / "0.parquet", *images(sdss, folder / "images", table))
    table.to_parquet(found.catalog, index=False)
    splits.write_splits(catalog=found.catalog, splits=[found.split], fractions=[0.6, 0.2, 0.2], seed=2023)
    return found


def arguments(found: toy.Survey, folder: Path, epochs: int) -> dict:
    """What `training.train` takes to train the default network for so many epochs."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    settings = config["train"] | {"epochs": epochs}
    photometry = {"magnitudes": "psf", "features": "fluxes", "columns": []}
    return toy.arguments(
        found, folder, crossmodal=config["crossmodal"], training=settings, photometry=photometry, seed=2023
    )
