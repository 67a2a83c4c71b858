"""Redshifts for everybody: what `crossz predict` costs for new objects, by their magnitudes alone and with images.

    OMP_NUM_THREADS=1 PYTHONPATH=src python benchmarks/prediction.py [--rows 100000 1000000] [--images 60000] [--output prediction.json]

The bundle has five splits of the networks of config/config.yaml, trained for one epoch on simulated quasars, those of the
tests: what they say is of no interest here. Magnitudes are drawn around those of the training, images repeat under new objIDs.
Each run is the command in a process of its own; its memory is the most that it held, without and with pages of mapped files.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from common import table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import bundles
import toy

from crossz.core.constants import BANDS
from crossz.images.arrow import read_arrays, write_arrays
from crossz.models import training

SPLITS, AT_ONCE = 5, 5000


def bundle(folder: Path) -> Path:
    """A bundle of the default networks."""
    settings = yaml.safe_load((Path(__file__).parents[1] / "config/config.yaml").read_text())
    survey = toy.write(folder / "toy")
    models, infos = [], []
    for number in range(SPLITS):
        arguments = toy.arguments(
            survey, folder / str(number), crossmodal=settings["crossmodal"], photometry=settings["photometry"],
            training=settings["train"] | {"epochs": 1}, seed=1,
        )  # fmt: skip
        training.train(**arguments)
        models.append(arguments["model"])
        infos.append(arguments["info"])
    return bundles.exported(survey, (models, infos), folder / "bundle", splits=[survey.split] * SPLITS)


def targets(path: Path, count: int) -> Path:
    """A table of `count` objects, written piece by piece."""
    known, rng = toy.catalog(360).drop(columns=["z", "objID"]), np.random.default_rng(count)
    writer = None
    for start in range(0, count, AT_ONCE):
        some = known.iloc[rng.integers(len(known), size=min(AT_ONCE, count - start))].reset_index(drop=True)
        some = some + rng.normal(0, 0.003, some.shape)
        some[[f"psfMagErr_{band}" for band in BANDS]] = 0.03
        part = pa.Table.from_pandas(some.assign(objID=np.arange(start, start + len(some)) + toy.BIG))
        writer = writer or pq.ParquetWriter(path, part.schema)
        writer.write_table(part)
    writer.close()
    return path


def cutouts(folder: Path, count: int) -> list[Path]:
    """Cutout files for the first `count` targets: the images of the training again and again."""
    known = read_arrays(folder / "toy/0.arrow")
    good = np.flatnonzero(known["status"] == "ok")
    paths = []
    for start in range(0, count, AT_ONCE):
        rows = np.resize(good, min(AT_ONCE, count - start))
        arrays = {name: known[name][rows] for name in ("image", "mask")}
        paths.append(folder / f"cutouts-{start}.arrow")
        write_arrays(
            paths[-1], {"objID": np.arange(start, start + len(rows)) + toy.BIG, "status": ["ok"] * len(rows), **arrays}
        )
    return paths


def cost(arguments: list[str]) -> dict[str, float]:
    """Processor seconds and GB of one `crossz predict`: its own, and with the pages of files that it maps."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", CALL, "predict", "--quiet", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    own, whole = map(float, done.stdout.splitlines()[-1].split())
    return {"seconds": seconds, "own_GB": own, "GB": whole}


CALL = (
    f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    + """
from common import peak_memory, watched
from crossz.apply import cli
own = watched()
cli.main(sys.argv[1:])
print(own(), peak_memory())
"""
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--images", type=int, nargs="*", default=[6_000, 60_000])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        networks = str(bundle(folder))
        for what, counts in (("magnitudes", options.rows), ("magnitudes and images", options.images)):
            for count in counts:
                more = []
                if what != "magnitudes":
                    more = ["--cutouts", *map(str, cutouts(folder, count))]
                path = targets(folder / "targets.parquet", count)
                found = cost([networks, str(path), str(folder / f"{what[:3]}{count}.parquet"), *more])
                rows.append({"data": what, "objects": count} | found)
    cells = [[row["data"], f"{row['objects']:,}", f"{row['seconds']:.0f}", f"{row['objects'] / row['seconds']:,.0f}", f"{row['own_GB']:.2f}", f"{row['GB']:.2f}"] for row in rows]  # fmt: skip
    print(table(["objects have", "objects", "processor s", "objects/s", "memory, GB", "with mapped files, GB"], cells))
    if options.output:
        options.output.write_text(json.dumps({"rows": rows, "threads": os.environ.get("OMP_NUM_THREADS")}))


if __name__ == "__main__":
    main()
