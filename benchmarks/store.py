"""What it costs to have the images of a split: the Arrow store beside HDF5, one .npz, and a file an object.

    PYTHONPATH=src python benchmarks/store.py [--objects 20000] [--repeats 3] [--output store.json]

Every way holds the same float16 images and uint8 masks of 64 x 64 pixels, uncompressed. Opened, and 60 % of the objects gathered in random order, from the page
cache, each repetition all ways in turn. The floor is one read of as many bytes in their order. Seconds of the clock: reading waits for the machine, not for the processor.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from crossz import BANDS, shards
from crossz.provenance import versions

SHARDS, FLOOR = 8, "floor: one read"
SHAPE = (len(BANDS), 64, 64)
BYTES = 64 * 64 * (2 * len(BANDS) + 1)  # an object: float16 images, and a mask of a byte a pixel


def make(folder: Path, count: int) -> None:
    """The same `count` objects in every way."""
    rng = np.random.default_rng(2023)
    images = rng.normal(0, 1, (count, *SHAPE)).astype(np.float16)
    masks = np.zeros((count, *SHAPE[1:]), np.uint8)
    objID = np.arange(count) + 1
    paths = []
    for number, part in enumerate(np.array_split(np.arange(count), SHARDS)):
        paths.append(folder / f"{number:04d}.arrow")
        shards.write(
            paths[-1],
            {"objID": objID[part], "status": ["ok"] * len(part), "image": images[part], "mask": masks[part]},
        )
        pd.DataFrame({"objID": objID[part]}).to_parquet(paths[-1].with_suffix(".parquet"))
    plans = [path.with_suffix(".parquet") for path in paths]
    shards.write_index(paths, plans, folder / "images.parquet", folder / "counts.json", folder / "missing.csv")
    with h5py.File(folder / "all.h5", "w") as file:
        file.create_dataset("image", data=images, chunks=(1, *SHAPE))
        file.create_dataset("mask", data=masks, chunks=(1, *SHAPE[1:]))
    np.zeros(count * 3 // 5 * BYTES, np.uint8).tofile(folder / "floor.bin")
    np.savez(folder / "all.npz", image=images, mask=masks)
    (folder / "each").mkdir()
    for number in range(count):
        np.savez(folder / "each" / f"{number}.npz", image=images[number], mask=masks[number])


def store(folder: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = shards.ImageStore(folder / "images.parquet", sorted(folder.glob("*.arrow")))
    return found.gather(found.rows(rows + 1))


def hdf5(folder: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(rows)  # h5py takes rows in rising order alone
    with h5py.File(folder / "all.h5") as file:
        image, mask = file["image"][rows[order]], file["mask"][rows[order]]
    back = np.argsort(order)
    return image[back], mask[back]


def npz(folder: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.load(folder / "all.npz") as file:
        image, mask = file["image"][rows], file["mask"][rows]
    return image, mask


def each(folder: Path, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    images = np.empty((len(rows), *SHAPE), np.float16)
    masks = np.empty((len(rows), *SHAPE[1:]), np.uint8)
    for place, row in enumerate(rows):
        with np.load(folder / "each" / f"{row}.npz") as file:
            images[place], masks[place] = file["image"], file["mask"]
    return images, masks


def floor(folder: Path, rows: np.ndarray) -> tuple[np.ndarray]:
    """One read of as many bytes, in their order."""
    return (np.fromfile(folder / "floor.bin", np.uint8),)


WAYS = {FLOOR: floor, "Arrow store": store, "HDF5": hdf5, "one npz": npz, "a file an object": each}


def once(way: str, folder: Path, rows: np.ndarray) -> None:
    """Seconds, peak memory without the page cache, and a checksum of what came, on standard output."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    found = WAYS[way](folder, rows)
    seconds = time.perf_counter() - start
    print(
        json.dumps(
            [
                seconds,
                (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6,
                0.0 if way == FLOOR else float(found[0][:, 0, 0, 0].sum(dtype=float)),
            ]
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("store.json"))
    parser.add_argument("--once", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    rows = np.random.default_rng(1).permutation(arguments.objects)[: arguments.objects * 3 // 5]
    if arguments.once:
        return once(arguments.once[0], Path(arguments.once[1]), rows)
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), arguments.objects)
        for _ in range(arguments.repeats + 1):  # the first brings the files into the page cache
            for way in WAYS:
                command = [sys.executable, __file__, "--objects", str(arguments.objects), "--once", way, folder]
                found[way].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    if len({one[2] for way, runs in found.items() if way != FLOOR for one in runs}) > 1:
        raise SystemExit("the ways gave different images")
    size = len(rows) * BYTES / 1e9
    result = {
        "objects": arguments.objects, "gathered": len(rows), "GB": round(size, 3),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores", "versions": versions("numpy", "pyarrow", "h5py"),
        "ways": {
            way: {
                "s": round(statistics.median(run[0] for run in runs[1:]), 3),
                "GB/s": round(size / statistics.median(run[0] for run in runs[1:]), 2),
                "GB of memory": round(statistics.median(run[1] for run in runs[1:]), 2),
            }
            for way, runs in found.items()
        },
    }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    print("| way | s | GB/s | GB of memory |\n|---|---|---|---|")
    for way, row in result["ways"].items():
        print(f"| {way} | {row['s']} | {row['GB/s']} | {row['GB of memory']} |")
    return None


if __name__ == "__main__":
    main()
