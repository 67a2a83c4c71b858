"""How many labelled quasars a network of photometry and images needs: alone, with DR5 quasars, and with a warm start.

    PYTHONPATH=src OMP_NUM_THREADS=1 python benchmarks/learning_curve.py --data DATA --folder FOLDER

DATA holds cutouts/ and catalog/dr5q.csv.gz (docs/networks.md). Three quarters of the labelled objects train, one
quarter validates. They are chosen at random from the training and validation objects of each split of the whole sample,
a smaller number from a larger one. The test objects are those of the whole sample. No network sees a DR5 quasar that is
a validation or test object. The network that the warm start takes its weights from has seen no object of the cutouts.
A training that FOLDER holds already is not repeated.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import yaml
from common import table
from main_job import ROOT, job

from crossz.catalog.also import NOBODY
from crossz.core.names import STACKED
from crossz.core.paths import predictions_path
from crossz.estimates.predictions import write_predictions
from crossz.estimates.stacked import stacked
from crossz.models import evaluation, references, training
from crossz.models.rows import subsample
from crossz.scores.intervals import corrected
from crossz.scores.metrics import metrics_table

SPLITS = range(5)
TEST_TO_TRAIN = 1 / 3
"""Of a split of the whole sample. What splits have in common does not depend on how many objects are labelled."""
SCORES = {"RMSE": ("mean", "rmse"), "sigma_nmad": ("median", "sigma_nmad"), "CRPS": ("mean", "crps")}
"""Estimate and column of each score."""
NETWORKS = ("alone", "also", "start")
"""The network alone, with DR5 quasars in one network (catalog.also), with a warm start (train.start)."""
TREES = ("random_forest", "extra_trees")


def prepare(data: Path, folder: Path) -> None:
    """Catalog, splits and images of the cutouts, the DR5 quasars, and a network of those that are no cutouts."""
    dr5q = {"file": str(data / "catalog/dr5q.csv.gz"), "units": "asinh"}
    settings = {
        "survey": "cutouts", "datasets": ["cutouts"], "photometry": {"magnitudes": "psf"},
        "catalog": {
            "files": {"cutouts": str(data / "cutouts/catalog.csv")},
            "also": {"near": dr5q | {"z": [2.75, 5]}, "all": dr5q | {"z": None}},
        },
        "cutouts": {"folder": str(data / "cutouts/mat")}, "plan": {"shards": 1},
    }  # fmt: skip
    made = ["images.parquet", "cutouts/0000.arrow", "also/cutouts/near.parquet", "also/cutouts/all.parquet"]
    made += [f"splits/cutouts/{split}.parquet" for split in SPLITS]
    job(folder / "cutouts", settings, [f"results/{name}" for name in made], cores=1)
    others, rows = folder / "others.parquet", pd.read_parquet(folder / "cutouts/results/also/cutouts/all.parquet")
    if not others.is_file():
        rows = rows[rows["group"] == NOBODY].drop(columns=["group", "zErr"]).dropna(axis=1, how="all")
        rows.assign(objID=-rows["objID"]).to_parquet(others)
    settings = {
        "survey": "photometry", "datasets": ["dr5q"], "networks": ["phot"], "catalog": {"files": {"dr5q": str(others)}},
        "photometry": {"magnitudes": "psf"}, "stack": False, "plan": {"shards": 1},
        "splits": {"count": 1, "fractions": [0.8, 0.1, 0.1]}, "train": {"batch_size": 256, "epochs": 24, "patience": 16},
    }  # fmt: skip
    job(folder / "dr5q", settings, ["results/models/dr5q/phot/0/model.pt"], cores=1)


def labelled(folder: Path, split: int, count: int) -> Path:
    """The split of the whole sample with so many labelled objects, or all of them if there are fewer."""
    whole = pd.read_parquet(folder / f"cutouts/results/splits/cutouts/{split}.parquet")
    share = min(1.0, count / (whole["subset"] != "test").sum())
    parts = [part if name == "test" else subsample(part, share) for name, part in whole.groupby("subset")]
    path = folder / f"splits/{count}/{split}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.concat(parts).to_parquet(path, index=False)
    return path


def run(folder: Path, split: int, count: int) -> list[Path]:
    """Predictions of every model with so many labelled objects of one split.

    Batches are the smaller, the fewer objects there are: a training has as many steps.
    """
    results = folder / "cutouts/results"
    config, cutouts = (yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("config", "cutouts"))
    config |= {name: config[name] | cutouts[name] for name in ("crossmodal", "train")}
    rows = {
        "catalog": results / "catalog/cutouts.parquet",
        "split": labelled(folder, split, count),
        "index": results / "images.parquet",
    }
    pixels, seed = {"cutouts": [results / "cutouts/0000.arrow"]}, {"seed": config["seed"]}
    more = {
        "alone": {},
        "also": {"also": [results / "also/cutouts/near.parquet"]},
        "start": {"start": [folder / "dr5q/results/models/dr5q/phot/0/model.pt"]},
    }
    stacks = {f"{name}_{STACKED}": name for name in NETWORKS}
    inputs = dict.fromkeys([*NETWORKS, *stacks], "phot+img") | dict.fromkeys(TREES, "phot")
    paths = {name: folder / predictions_path(str(count), name, split, inputs[name]) for name in inputs}
    for path in paths.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    for name in [name for name in NETWORKS if not paths[name].is_file()]:
        where = folder / "models" / str(count) / name / str(split)
        where.mkdir(parents=True, exist_ok=True)
        made = {"model": where / "model.pt", "info": where / "model.json"}
        settings = config["train"] | {"batch_size": max(8, min(64, count // 16))}
        training.train(
            **rows, **pixels, **made, **more[name], **seed, history=where / "history.csv", checkpoint=where / "checkpoint.pt",
            crossmodal=config["crossmodal"], training=settings, code="",
            photometry={"magnitudes": "psf", "features": "fluxes", "columns": []},
        )  # fmt: skip
        evaluation.evaluate(**rows, **pixels, **made, predictions=[paths[name]])
    if left := {name: paths[name] for name in TREES if not paths[name].is_file()}:
        references.write_references(**rows, **seed, predictions=left, magnitudes="psf")
    for name, network in stacks.items():
        said = pd.read_parquet(paths[network])
        written = said[["objID", "subset"]].assign(z=said["z_spec"])
        write_predictions(paths[name], written, stacked(said, pd.read_parquet(paths["extra_trees"]))[0])
    return list(paths.values())


def lines(metrics: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    """The mean scores of each model and number of labelled objects, and how they differ from `alone`."""
    for count in sorted(metrics["dataset"].unique(), key=int):
        mine = metrics[metrics["dataset"] == count]
        for model in mine["model"].unique():
            cells = [f"{mine['n_train'].iloc[0]}", model]
            for estimate, score in SCORES.values():
                of = mine[mine["estimate"] == estimate].pivot(index="split", columns="model", values=score)
                difference = (of[model] - of["alone"]).to_numpy()
                low, high = corrected(difference, TEST_TO_TRAIN)
                text = f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]"
                text = f"**{text}**" if low * high > 0 else text
                cells += [f"{of[model].mean():.4f}", text if model != "alone" else ""]
            yield tuple(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="what is made is kept there")
    parser.add_argument(
        "--labelled", type=int, nargs="+", default=[133, 267, 533, 1011], help="training and validation objects"
    )
    parser.add_argument("--splits", type=int, default=5)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    prepare(arguments.data.resolve(), folder)
    paths, sizes = [], {}
    for count in arguments.labelled:
        for split in SPLITS[: arguments.splits]:
            paths += run(folder, split, count)
            subsets = pd.read_parquet(folder / f"splits/{count}/{split}.parquet")["subset"]
            sizes[str(count), split] = int((subsets == "train").sum())
    metrics = metrics_table(paths, sizes, {})
    metrics.to_csv(folder / "metrics.csv", index=False)
    print(
        table(
            ["training objects", "model", *(cell for name in SCORES for cell in (name, "difference"))], lines(metrics)
        )
    )


if __name__ == "__main__":
    main()
