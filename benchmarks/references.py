"""What one job of the references costs at growing numbers of training objects, and how good they are.

    OMP_NUM_THREADS=2 PYTHONPATH=src python benchmarks/references.py [--train 2800 28000 280000] [--threads 2] [--unbounded]

Objects have the redshifts and the colors of the embedded sky's quasars, their scatter, and noise that grows with magnitude. The
test part holds a third as many as the training part, and so does the validation part. A job is a process of its own, with all
references one after the other; seconds are the processor's, and the memory of a line is the peak of the job so far. `--unbounded` lets the forests grow leaves
of one object whatever the number: the largest size then takes 6 GB.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from common import table

from crossz.core import names
from crossz.core.constants import BANDS
from crossz.core.provenance import versions
from crossz.estimates.predictions import mixtures_of
from crossz.models import reference_models, references
from crossz.scores import metrics, pdf_scores
from crossz.sky import population

DRAWN, NEAR = (
    8000,
    25,
)  # quasars of the sky; how many on each side in redshift give an object its mean color and scatter
LIMITS = np.array([22.0, 22.2, 22.2, 21.3, 20.5])  # mag, of 5 sigma in SDSS
FAINTEST = 25.0  # mag: SDSS's magnitudes end there, even without any flux
FILLER = 20  # columns that a catalog has beside those


def sample(folder: Path, train: int) -> None:
    """A catalog, a split and an index of images with `train` training objects."""
    rng = np.random.default_rng(train)
    drawn = population.quasars(rng, DRAWN).sort_values("z", ignore_index=True)
    mag = 22.5 - 2.5 * np.log10(
        drawn[[f"flux_{band}" for band in BANDS]].to_numpy().clip(10 ** (0.4 * (22.5 - FAINTEST)))
    )
    colour = mag - mag[:, [BANDS.index("i")]]
    count = train * 5 // 3
    place = rng.uniform(NEAR, DRAWN - NEAR - 1, count)
    middle = np.cumsum(colour, axis=0)
    middle = (middle[2 * NEAR :] - middle[: -2 * NEAR]) / (2 * NEAR)  # [i]: the mean around i + NEAR
    nearest = (place + rng.uniform(-NEAR, NEAR, count)).astype(int).clip(NEAR, DRAWN - NEAR - 1)
    scatter = colour[nearest] - middle[nearest - NEAR]
    at = [np.interp(place - NEAR, np.arange(len(middle)), middle[:, band]) for band in range(len(BANDS))]
    true = drawn["i_mag"].to_numpy()[rng.integers(DRAWN, size=count), None] + np.stack(at, axis=1) + scatter
    error = np.hypot(0.015, 0.2 * 10 ** (0.35 * (true - LIMITS))) * rng.lognormal(0, 0.1, true.shape)
    error = np.minimum(error, 2.0)
    seen = np.minimum(true + error * rng.standard_normal(true.shape), FAINTEST)
    columns = {"objID": np.arange(count) * 1013 + 1237650000000000000, "zWarning": 0}
    columns["z"] = np.interp(place, np.arange(DRAWN), drawn["z"])
    for number, band in enumerate(BANDS):
        columns |= {f"dered_{band}": seen[:, number], f"psfMagErr_{band}": error[:, number], f"extinction_{band}": 0.1}
    columns |= {f"other_{number}": rng.random(count) for number in range(FILLER)}
    catalog = pd.DataFrame(columns)
    catalog.to_parquet(folder / "catalog.parquet", index=False)
    subset = np.array(["train", "val", "train", "test", "train"])[np.arange(count) % 5]
    catalog[["objID"]].assign(subset=subset).to_parquet(folder / "split.parquet", index=False)
    catalog[["objID"]].assign(shard=0, row=np.arange(count), status="ok").to_parquet(
        folder / "index.parquet", index=False
    )


def job(folder: Path, threads: int, unbounded: bool, models: list[str], queue: multiprocessing.Queue) -> None:
    """All references of one split, as their rule's job."""
    if unbounded:
        reference_models.LARGE = sys.maxsize
    files = {name: folder / f"{name}.parquet" for name in ("catalog", "split", "index")}
    for model in models:
        start, used = time.perf_counter(), time.process_time()
        output = {model: folder / f"{model}.parquet"}
        references.write_references(**files, predictions=output, magnitudes="dered_model", seed=2023, threads=threads)
        cost = {
            "model": model,
            "s": round(time.perf_counter() - start, 1),
            "cpu s": round(time.process_time() - used, 1),
            "GB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        }
        print(cost, file=sys.stderr, flush=True)
        queue.put(cost)


def scores(path: Path) -> dict[str, float]:
    """Scores of the test part."""
    test = pd.read_parquet(path).query("subset == 'test'")
    z = test["z_spec"].to_numpy()
    return metrics.score(z, test["z_phot"].to_numpy()) | pdf_scores.score(mixtures_of(test), z)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, nargs="+", default=[2800, 28_000, 280_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", choices=names.REFERENCES, default=list(names.REFERENCES))
    parser.add_argument("--unbounded", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("references.json"))
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    found: dict[int, list[dict]] = {}
    for train in arguments.train:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            sample(folder, train)
            queue = context.Queue()
            settings = (folder, arguments.threads, arguments.unbounded, arguments.models, queue)
            process = context.Process(target=job, args=settings)
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"the job failed at {train:,} rows")
            found[train] = [queue.get() for _ in arguments.models]
            for row in found[train]:
                row |= {key: round(value, 5) for key, value in scores(folder / f"{row['model']}.parquet").items()}
    result = {"threads": arguments.threads, "versions": versions("numpy", "scikit-learn", "scipy"), "jobs": found}
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    largest = found[arguments.train[-1]]
    rows = [
        (
            row["model"],
            *(f"{jobs[number]['cpu s']:.0f} s, {jobs[number]['GB']:.2f} GB" for jobs in found.values()),
            *(f"{row[key]:.4f}" for key in ("rmse", "sigma_nmad", "crps")),
            f"{100 * row['coverage_68']:.1f}",
        )
        for number, row in enumerate(largest)
    ]
    job_of = [f"{sum(row['cpu s'] for row in jobs):.0f} s, {jobs[-1]['GB']:.2f} GB" for jobs in found.values()]
    head = ["reference", *(f"{train:,} rows" for train in found), "RMSE", "sigma_NMAD", "CRPS", "68 % sets hold (%)"]
    print(table(head, [*rows, ("the job", *job_of, "", "", "", "")]))


if __name__ == "__main__":
    main()
