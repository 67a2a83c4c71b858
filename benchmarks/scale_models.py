"""Stages of scale.py that train and evaluate networks, on one of the five splits.

scale.py imports this file where a stage needs it, because the import of torch would count as memory of every stage.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import scale
import yaml

from crossz.core.names import MML_INPUTS
from crossz.images.arrow import write_arrays
from crossz.images.spectra import PIXELS
from crossz.models import evaluation, mml_training, training

PHOTOMETRY = {"magnitudes": "dered_model", "columns": []}
MML = {"epochs": 1, "learning_rate": 3e-3, "batch_size": 256}


def rows(folder: Path) -> dict:
    """The rows of the first split."""
    return {
        "catalog": folder / "sample.parquet",
        "split": scale.split_paths(folder)[0],
        "index": folder / "images.parquet",
    }


def trained(folder: Path) -> dict[str, Path]:
    """Weights and description of the network of photometry."""
    return {"model": folder / "trained/model.pt", "info": folder / "trained/model.json"}


def train(folder: Path) -> None:
    """A network of photometry alone, for one epoch."""
    settings = yaml.safe_load((Path(__file__).parents[1] / "config/config.yaml").read_text())
    written = trained(folder) | {"history": folder / "trained/history.csv", "checkpoint": folder / "trained/state.pt"}
    training.train(
        **rows(folder), **written, cutouts=[], crossmodal=settings["crossmodal"] | {"z_patterns": "phot"}, seed=2023, code="",
        training=settings["train"] | {"epochs": 1, "batch_size": 256}, photometry=PHOTOMETRY,
    )  # fmt: skip


def evaluate(folder: Path) -> None:
    predictions = [folder / "trained/sample/phot/0/phot.parquet"]
    evaluation.evaluate(**rows(folder), **trained(folder), cutouts=[], predictions=predictions)


def fill_spectra(folder: Path) -> None:
    """Files of noise, one a shard."""
    flux = np.random.default_rng(0).normal(1, 0.3, (1000, PIXELS)).astype(np.float16)
    for path in scale.shard_paths(folder):
        objID = pq.read_table(path, columns=["objID"])["objID"].to_numpy()
        arrays = {
            "flux": np.resize(flux, (len(objID), PIXELS)),
            "ok": np.full((len(objID), PIXELS // 8), 255, np.uint8),
        }
        write_arrays(
            folder / "spectra" / f"{path.stem}.arrow", {"objID": objID, "status": ["ok"] * len(objID), **arrays}
        )


def spectral_baseline(folder: Path) -> None:
    """All its networks on one split, for one epoch."""
    written = {"model": folder / "mml/model.pt", "info": folder / "mml/model.json"}
    predictions = {name: folder / f"mml/{name}.parquet" for name in MML_INPUTS}
    files = rows(folder) | {"spectra": sorted((folder / "spectra").glob("*.arrow"))}
    mml_training.write_mml(**files, **written, predictions=predictions, mml=MML, magnitudes="dered_model", seed=2023)
