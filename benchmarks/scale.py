"""What the stages cost at DR17 scale: processor seconds and peak memory of each at growing numbers of rows.

    OMP_NUM_THREADS=1 PYTHONPATH=src python benchmarks/scale.py [--rows 1000 10000 100000 620390] [--folder FOLDER] [--output scale.json]

Each stage is the function that its rule calls, in a process of its own that has imported what it needs; rows are simulated:
as DR17's, four rows are of three objects, and a field of the sky has some two of them. So 620,390 rows are 465,292 objects.
In brackets: what the next stages need, no stages of the pipeline by themselves. The exponent is that of the two largest sizes.
"""

import argparse
import importlib
import json
import math
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from common import peak_memory, table

from crossz.catalog import plan, splits
from crossz.catalog.objects import write_catalog
from crossz.catalog.raw import write_user_catalog
from crossz.core.constants import BANDS, OK
from crossz.core.files import write_json
from crossz.core.provenance import versions
from crossz.estimates.estimates import Pdf, Point
from crossz.estimates.pdf import Mixture
from crossz.estimates.predictions import write_predictions
from crossz.images import store as image_store
from crossz.images.arrow import write_arrays
from crossz.images.index import write_index
from crossz.images.store import ImageStore
from crossz.models.rows import load_rows
from crossz.scores import binned, comparison, metrics

SPLITS, COMPONENTS = 5, 4
image_store.CUTOUT_SIZE = 8  # 465,292 images of 64 x 64 pixels are 19 GB
MIXTURES = ("phot+img", "phot_gen+img", "phot+img_gen", "phot_gen+img_gen")


def rows_of_query(path: Path, count: int) -> None:
    """A finished query of `count` rows: objects repeat, pairs of objIDs lie within an arcsecond, a few fits have failed."""
    rng = np.random.default_rng(count)
    objects = max(count * 3 // 4, 20)
    of = np.concatenate([np.arange(objects), rng.integers(objects, size=count - objects)])
    ra, dec = rng.uniform(0, 360, objects), np.degrees(np.arcsin(rng.uniform(0, 0.9, objects)))
    twins = rng.choice(objects - 1, objects // 100, replace=False)
    ra[twins], dec[twins] = ra[twins + 1], dec[twins + 1] + 0.5 / 3600
    field = np.sort(rng.integers(objects // 2 + 1, size=objects))
    columns = {
        "objID": (1237650000000000000 + np.arange(objects) * 1013)[of],
        "specObjID": (np.arange(count) * 1024 + 4 * 10**17).astype(np.uint64),
        "ra": ra[of], "dec": dec[of], "z": rng.uniform(1, 5, objects)[of],
        "zErr": np.where(rng.random(count) < 0.01, -1, rng.uniform(1e-5, 1e-3, count)),
        "rerun": 301, "run": (94 + field // 5000)[of], "camcol": (1 + field // 800 % 6)[of], "field": (11 + field % 800)[of],
        "zWarning": 4 * (rng.random(count) < 0.05),
    }  # fmt: skip
    for band in BANDS:
        mag = rng.uniform(18, 22, objects)[of]
        columns |= {
            f"psfMag_{band}": mag,
            f"dered_{band}": mag - 0.1,
            f"psfMagErr_{band}": 0.05,
            f"extinction_{band}": 0.1,
        }
    pd.DataFrame(columns).to_parquet(path, index=False)


def user_catalog(folder: Path) -> None:
    written = {"raw": folder / "raw.parquet", "receipt": folder / "raw.json"}
    write_user_catalog(source=folder / "query.parquet", **written, columns={})


def dedupe_and_group(folder: Path) -> None:
    written = {"catalog": folder / "sample.parquet", "counts": folder / "counts.json"}
    write_catalog(raw=folder / "raw.parquet", **written, radius_arcsec=1.0)


def plan_shards(folder: Path) -> None:
    plan.write_plan(catalogs=[folder / "sample.parquet"], shards=shard_paths(folder), needs_fields=True)


def split(folder: Path) -> None:
    fractions = [0.6, 0.2, 0.2]
    splits.write_splits(catalog=folder / "sample.parquet", splits=split_paths(folder), fractions=fractions, seed=2023)


def fill_shards(folder: Path) -> None:
    """Cutout files with small images, which only the gallery looks at."""
    for path in shard_paths(folder):
        objID = pq.read_table(path, columns=["objID"])["objID"].to_numpy()
        size = (image_store.CUTOUT_SIZE, image_store.CUTOUT_SIZE)
        pixels = {
            "image": np.ones((len(objID), len(BANDS), *size), np.float16),
            "mask": np.zeros((len(objID), *size), np.uint8),
        }
        write_arrays(path.with_suffix(".arrow"), {"objID": objID, "status": [OK] * len(objID), **pixels})


def index_images(folder: Path) -> None:
    cutouts = [path.with_suffix(".arrow") for path in shard_paths(folder)]
    written = {"index": "images.parquet", "counts": "images.json", "missing": "missing.csv"}
    write_index(cutouts=cutouts, plan=shard_paths(folder), **{name: folder / file for name, file in written.items()})


def predict(folder: Path) -> None:
    """The tables of a network's four input patterns and of a reference, each split."""
    for number in range(SPLITS):
        rows = load_rows(folder / "sample.parquet", split_paths(folder)[number], store(folder))
        rows = rows[rows["subset"] != "train"]
        rng = np.random.default_rng(number)
        for model, inputs in [*(("crossmodal", one) for one in MIXTURES), ("knn", "phot")]:
            y = np.log1p(rows["z"].to_numpy()) + 0.05 * rng.standard_normal(len(rows))
            mean = np.tile(y[:, None], COMPONENTS) + 0.1 * np.arange(COMPONENTS)
            found = Mixture(np.tile([0.7, 0.1, 0.1, 0.1], (len(rows), 1)), mean, np.full_like(mean, 0.05))
            path = folder / "sample" / model / str(number) / f"{inputs}.parquet"
            write_predictions(path, rows, Pdf(found) if model == "crossmodal" else Point(np.expm1(y)))
        write_json(folder / "models/sample/crossmodal" / str(number) / "model.json", {"n": {"train": 1}})


def score(folder: Path) -> None:
    infos = sorted(folder.glob("models/*/*/*/model.json"))
    inputs = {"splits": split_paths(folder), "index": folder / "images.parquet", "infos": infos}
    outputs = {"metrics": folder / "m.csv", "table": folder / "t.md"}
    metrics.write_metrics(predictions=predictions(folder), **inputs, **outputs)


def score_bins(folder: Path) -> None:
    files = {"catalogs": [folder / "sample.parquet"], "binned": folder / "binned.csv"}
    binned.write_binned(predictions=predictions(folder), **files, seed=2023)


def compare(folder: Path) -> None:
    files = {"catalogs": [folder / "sample.parquet"], "csv": folder / "c.csv", "markdown": folder / "c.md"}
    settings = {"main": "crossmodal", "seed": 2023, "fractions": [0.6, 0.2, 0.2]}
    comparison.write_comparison(predictions=predictions(folder), **files, **settings)


def shard_paths(folder: Path) -> list[Path]:
    """One shard in 660 objects, at least four: some 700 at the largest size, as config/dr17.yaml has."""
    objects = pq.read_metadata(folder / "sample.parquet").num_rows
    return [folder / "shards" / f"{number:04d}.parquet" for number in range(max(objects // 660, 4))]


def split_paths(folder: Path) -> list[Path]:
    return [folder / "splits/sample" / f"{number}.parquet" for number in range(SPLITS)]


def store(folder: Path) -> ImageStore:
    return ImageStore(folder / "images.parquet", [path.with_suffix(".arrow") for path in shard_paths(folder)])


def predictions(folder: Path) -> list[Path]:
    return sorted(folder.glob("sample/*/*/*.parquet"))


STAGES = {
    "user catalog": "scale.user_catalog",
    "dedupe, group": "scale.dedupe_and_group",
    "plan": "scale.plan_shards",
    "split": "scale.split",
    "(cutout files)": "scale.fill_shards",
    "index of images": "scale.index_images",
    "(predictions)": "scale.predict",
    "metrics.csv": "scale.score",
    "metrics_binned.csv": "scale.score_bins",
    "comparison.md": "scale.compare",
    "training, one epoch, photometry alone": "scale_models.train",
    "evaluation, photometry alone": "scale_models.evaluate",
    "(spectra)": "scale_models.fill_spectra",
    "spectral baseline, one epoch": "scale_models.spectral_baseline",
    "ensemble.json": "scale_figures.score_ensemble",
    "domain": "scale_figures.measure_domain",
    "bundle, model card": "scale_figures.bundle",
    "figure of redshifts": "scale_figures.figure_redshifts",
    "figures of estimates": "scale_figures.figure_estimates",
    "figure of errors over redshift": "scale_figures.figure_error_vs_z",
    "figures of calibration": "scale_figures.figure_calibration",
    "figure of models": "scale_figures.figure_models",
    "gallery": "scale_figures.figure_gallery",
}
"""Module and function of each stage."""


def measured(stage: str, folder: Path, queue: multiprocessing.Queue) -> None:
    module, function = STAGES[stage].split(".")
    call = getattr(importlib.import_module(module), function)
    start = time.process_time()
    with open(os.devnull, "w") as sink:
        os.dup2(sink.fileno(), 1)
        call(folder)
    queue.put((time.process_time() - start, peak_memory()))


def costs(count: int, folder: Path) -> dict[str, tuple[float, float]]:
    """Seconds and GB of each stage at `count` rows, made in a subfolder; they are noted in a file beside it."""
    rows, note = folder / str(count), folder / f"{count}.json"
    found = json.loads(note.read_text()) if note.is_file() else {}
    if not rows.is_dir():
        rows.mkdir(parents=True)
        rows_of_query(rows / "query.parquet", count)
    context = multiprocessing.get_context("spawn")
    for stage in STAGES:
        if stage in found:
            continue
        queue = context.Queue()
        process = context.Process(target=measured, args=(stage, rows, queue))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit(f"{stage} failed at {count:,} rows")
        found[stage] = queue.get()
        note.write_text(json.dumps(found))
        print(f"{count:,} {stage}: {found[stage]}", file=sys.stderr, flush=True)
    return {stage: found[stage] for stage in STAGES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000, 620_390])
    parser.add_argument("--folder", type=Path, help="keep what is made there, and go on where a run was interrupted")
    parser.add_argument("--output", type=Path, default=Path("scale.json"))
    arguments = parser.parse_args()
    found: dict[str, dict[int, tuple[float, float]]] = {stage: {} for stage in STAGES}
    with tempfile.TemporaryDirectory() as name:
        for count in arguments.rows:
            for stage, cost in costs(count, arguments.folder or Path(name)).items():
                found[stage][count] = cost
    result = {"versions": versions("numpy", "pandas", "pyarrow"), "stages": found}
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    counts = arguments.rows
    rows = []
    for stage, cost in found.items():
        slope = ""
        if len(counts) > 1:
            slope = f"{math.log(cost[counts[-1]][0] / cost[counts[-2]][0]) / math.log(counts[-1] / counts[-2]):.2f}"
        rows.append((stage, *(f"{seconds:.2f} s, {memory:.2f} GB" for seconds, memory in cost.values()), slope))
    print(table(["stage", *(f"{count:,} rows" for count in counts), "exponent"], rows))


if __name__ == "__main__":
    main()
