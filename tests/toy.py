"""A small survey whose redshifts can be learned from magnitudes and from images: what the models' tests run on."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from helpers import star

from crossz.catalog.columns import REQUIRED
from crossz.core import paths
from crossz.core.constants import BANDS
from crossz.images.arrow import to_units, write_arrays
from crossz.images.index import write_index

CROSSMODAL = {
    "backbone": "small", "stem": "small", "image_mlp_layers": 1, "attention": "symmetric", "attention_layers": 2, "dropout": 0.1, "alpha": 0.2, "beta": 0.1,
    "reversal": 0.1, "reversal_ramp": True, "z_patterns": "all", "pair_weight": 0.0, "hidden_layers": 2, "nll_weight": 0.1, "head": "mixture", "components": 3, "target": "log1p",
}  # fmt: skip

TRAIN = {
    "optimizer": "adamw", "learning_rate": 3e-3, "momentum": 0.2, "weight_decay": 0.03, "batch_size": 32, "epochs": 4, "members": 1, "share": 1.0,
    "schedule": "cosine", "patience": 40, "gradient_clip": 1.0, "augment": True,
    "precision": "auto", "deterministic": True, "compile": False,
}  # fmt: skip

BIG = 1237654669735362939  # a real objID; as a float it becomes ...362944
NOISE = np.array([0.05, 0.02, 0.03, 0.045, 0.17])  # nmgy a pixel, as SDSS frames have it


PHOTOMETRY = {"magnitudes": "dered_model", "features": "fluxes", "columns": []}
OUTPUTS = {"model": "model.pt", "info": "model.json", "history": "history.csv", "checkpoint": "checkpoint.pt"}


class Survey(NamedTuple):
    """Files of one toy survey, under the names of the arguments of `training.train` and others."""

    catalog: Path
    split: Path
    index: Path
    cutouts: list[Path]


def catalog(n: int, seed: int = 0) -> pd.DataFrame:
    """n quasars, their colours smooth functions of z with 0.03 mag of noise; columns as in a real catalog."""
    rng = np.random.default_rng([seed, n])
    z = rng.uniform(1, 4, n)
    colours = np.stack(
        [0.1 + 0.25 * (z - 1) ** 1.5, 0.6 * np.sin(z), 0.4 * np.cos(1.5 * z), 0.2 * np.sin(3 * z)], axis=1
    )
    mag = rng.uniform(17.5, 19.5, n)[:, None] - np.cumsum(np.c_[np.zeros(n), colours], axis=1)
    mag = mag + rng.normal(0, 0.03, mag.shape)
    extinction = rng.lognormal(-3, 0.5, n)[:, None] * np.array([5.155, 3.793, 2.751, 2.086, 1.479])
    columns = {"objID": rng.permutation(n).astype(np.int64) + 1237654669735362939, "z": z}
    for i, band in enumerate(BANDS):
        columns |= {
            f"dered_{band}": mag[:, i],
            f"psfMag_{band}": mag[:, i] + extinction[:, i],
            f"psfMagErr_{band}": rng.uniform(0.01, 0.05, n),
            f"extinction_{band}": extinction[:, i],
        }
    return pd.DataFrame(columns).sort_values("objID", ignore_index=True)


def images(table: pd.DataFrame, seed: int = 0) -> np.ndarray:
    """Images [n, 5, 64, 64] in nmgy: a star of each object's reddened magnitudes near the centre, and noise."""
    rng = np.random.default_rng([seed, len(table), 1])
    flux = 10 ** (0.4 * (22.5 - table[[f"psfMag_{band}" for band in BANDS]].to_numpy()))
    image = rng.normal(0, 1, (len(table), len(BANDS), 64, 64)) * NOISE[:, None, None]
    for i, (x, y) in enumerate(rng.uniform(31.5, 32.5, (len(table), 2))):
        image[i] += star(x, y, 64, flux=1.0) * flux[i, :, None, None]
    return image


def write(folder: Path, n: int = 360, without_image: int = 3) -> Survey:
    """Write a survey of n objects, the first `without_image` of which have no usable image; 60 % train, 20 % val."""
    folder.mkdir(parents=True, exist_ok=True)
    survey = Survey(
        folder / "toy.parquet", folder / "0.parquet", folder / "images.parquet", [folder / f"{i}.arrow" for i in (0, 1)]
    )
    table = catalog(n)
    table.to_parquet(survey.catalog, index=False)
    subset = np.array(["train", "train", "train", "val", "test"])[np.arange(n) % 5]
    pd.DataFrame({"objID": table["objID"], "subset": subset}).to_parquet(survey.split, index=False)
    status = np.array(["missing_frame"] * without_image + ["ok"] * (n - without_image))
    units, _ = to_units(images(table))
    for number, path in enumerate(survey.cutouts):
        part = np.arange(n) % 2 == number
        mask = np.zeros((part.sum(), 64, 64), np.uint8)
        columns = {
            "objID": table["objID"].to_numpy()[part],
            "status": status[part].tolist(),
            "image": units[part],
            "mask": mask,
        }
        write_arrays(path, columns)
    table[["objID"]].to_parquet(folder / "plan.parquet", index=False)
    accounts = {"counts": folder / "counts.json", "missing": folder / "missing.csv"}
    write_index(cutouts=survey.cutouts, plan=[folder / "plan.parquet"], index=survey.index, **accounts)
    return survey


def told(table: pd.DataFrame) -> pd.DataFrame:
    """The catalog with magnitudes that hardly know the redshift, and a column w1mpro that does, but for a tenth of the rows."""
    rng = np.random.default_rng(3)
    w1 = np.where(rng.random(len(table)) < 0.1, -9999.0, 15 + 0.5 * table["z"])
    blurred = {name: table[name] + rng.normal(0, 0.3, len(table)) for name in table if name.startswith("dered_")}
    return table.assign(w1mpro=w1, **blurred)


def rewrite(path: Path, folder: Path, change) -> Path:
    """A copy of the table `path` in `folder` with `change` applied to it."""
    folder.mkdir(parents=True, exist_ok=True)
    change(pd.read_parquet(path)).to_parquet(folder / path.name, index=False)
    return folder / path.name


def rows(**columns):
    """Rows of a finished query: `columns`, and what every catalog must have beside them."""
    count = len(next(iter(columns.values())))
    filler = {name: np.zeros(count) for name in REQUIRED if name not in ("objID", "specObjID")}
    ids = {"objID": np.arange(count) + BIG, "specObjID": np.arange(count, dtype=np.uint64)}
    return pd.DataFrame(ids | filler | {"z": np.full(count, 2.0), "zErr": np.full(count, 1e-4)} | columns)


def arguments(survey: Survey, folder: Path, **changes) -> dict:
    """What `training.train` takes to train a small network of `survey` in `folder`; `changes` are arguments of it."""
    settings = {"crossmodal": CROSSMODAL, "training": TRAIN, "photometry": PHOTOMETRY, "seed": 7, "code": "code"}
    files = {name: folder / file for name, file in OUTPUTS.items()}
    return survey._asdict() | files | settings | changes


def in_json(arguments: dict) -> str:
    """Such arguments as text, for another process."""
    return json.dumps(arguments, default=str)


def predictions(folder: Path, patterns) -> dict[str, Path]:
    """Where the tables of predictions of each input pattern go, as a run has them."""
    return {inputs: folder / paths.predictions_path("toy", "crossmodal", 0, inputs) for inputs in patterns}
