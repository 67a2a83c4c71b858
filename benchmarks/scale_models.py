"""Stages of scale.py from networks on: trainings of an epoch, evaluation, spectra, the bundle, figures.

One split of five is trained; the figures show the simulated predictions of all five. scale.py imports this file where a stage
needs it, because the import of torch would count as memory of every stage.
"""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import scale
import yaml

from crossz.apply import export
from crossz.core import run_record
from crossz.core.names import MML_INPUTS
from crossz.images.arrow import write_arrays
from crossz.images.spectra import PIXELS
from crossz.models import evaluation, mml_training, training
from crossz.report import calibration, gallery, models, redshifts
from crossz.scores import ensemble

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


def score_ensemble(folder: Path) -> None:
    ensemble.write_ensemble(predictions=networks(folder), ensemble=folder / "ensemble.json")


def bundle(folder: Path) -> None:
    """With the training domain of all five splits."""
    record = folder / "run.yaml"
    config = {"survey": "photometry", "splits": {"count": scale.SPLITS, "fractions": [0.6, 0.2, 0.2]}, "seed": 2023}
    run_record.write_run_record(record, config, {}, [], [])
    files = {name: path for name, path in rows(folder).items() if name != "split"}
    export.export(
        models=[trained(folder)["model"]], infos=[trained(folder)["info"]], splits=scale.split_paths(folder), **files,
        receipt=folder / "raw.json", metrics=folder / "m.csv", record=record, query=[], bundle=folder / "bundle",
        dataset="sample", network="crossmodal", align=None, references=["knn"], ensemble=folder / "ensemble.json",
    )  # fmt: skip


def networks(folder: Path) -> list[Path]:
    """Predictions of the network of four input patterns."""
    return sorted(folder.glob("sample/crossmodal/*/*.parquet"))


def figure(folder: Path, name: str) -> list[Path]:
    return [folder / "figures/sample/crossmodal" / f"{name}{ending}" for ending in (".png", ".pdf")]


def figure_redshifts(folder: Path) -> None:
    redshifts.write_redshift_histogram(catalogs=[folder / "sample.parquet"], figure=figure(folder, "redshifts"))


def figure_estimates(folder: Path) -> None:
    png, pdf = zip(*(figure(folder, name) for name in scale.MIXTURES), strict=True)
    redshifts.write_estimates(predictions=networks(folder), png=png, pdf=pdf)


def figure_error_vs_z(folder: Path) -> None:
    redshifts.write_error_vs_z(binned=folder / "binned.csv", dataset="sample", figure=figure(folder, "error_vs_z"))


def figure_calibration(folder: Path) -> None:
    files = {name: figure(folder, name) for name in ("pit", "calibration")}
    calibration.write_calibration(predictions=networks(folder), **files)


def figure_models(folder: Path) -> None:
    models.write_models(metrics=folder / "m.csv", dataset="sample", figure=figure(folder, "models"))


def figure_gallery(folder: Path) -> None:
    predictions = folder / "sample/crossmodal/0" / f"{scale.MIXTURES[0]}.parquet"
    cutouts = [path.with_suffix(".arrow") for path in scale.shard_paths(folder)]
    files = {"catalog": folder / "sample.parquet", "index": folder / "images.parquet", "cutouts": cutouts}
    gallery.write_gallery(predictions=predictions, **files, figure=figure(folder, "gallery"))
