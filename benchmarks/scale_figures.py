"""Stages of scale.py that show what was found: scores of all splits together, the bundle, figures.

Figures show the simulated predictions of all five splits. As scale_models.py, this file is imported where a stage needs it.
"""

from pathlib import Path

import scale
from scale_models import rows, trained

from crossz.apply import domain, export
from crossz.core import run_record
from crossz.report import calibration, gallery, models, redshifts
from crossz.scores import ensemble


def score_ensemble(folder: Path) -> None:
    ensemble.write_ensemble(predictions=networks(folder), ensemble=folder / "ensemble.json")


def measure_domain(folder: Path) -> None:
    info = trained(folder)["info"]
    domain.write_domain(**rows(folder), cutouts=[], info=info, domain=folder / "domain.safetensors")


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
        reference=folder / "domain.safetensors",
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
