"""What it costs to have the images of a split: the Arrow store beside HDF5, one .npz, and a file an object.

    PYTHONPATH=src python benchmarks/store.py [--objects 2000] [--repeats 3] [--output store.json]

Every way holds the same float16 images and uint8 masks of 64 x 64 pixels, uncompressed. Opened, then 60 % of the objects gathered in random order at once, then in
batches of 256, from the page cache, each repetition all ways in turn, each in a process of its own. The floor is reading as many bytes in their order; what memory itself
gives is the npz, once it is open. Processor time, the kernel's share included. Memory: what a process holds while it streams, without the page cache.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from common import table

from crossz.core.constants import BANDS
from crossz.core.provenance import versions
from crossz.images.arrow import write_arrays
from crossz.images.index import write_index
from crossz.images.store import ImageStore

SHARDS, BATCH = 8, 256
SHAPE = (len(BANDS), 64, 64)
BYTES = 64 * 64 * (2 * len(BANDS) + 1)  # an object: float16 images, and a mask of a byte a pixel
Gather = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def make(folder: Path, count: int) -> None:
    """The same `count` objects in every way."""
    rng = np.random.default_rng(2023)
    images = rng.normal(0, 1, (count, *SHAPE)).astype(np.float16)
    masks = np.zeros((count, *SHAPE[1:]), np.uint8)
    objID = np.arange(count) + 1
    paths = []
    for number, part in enumerate(np.array_split(np.arange(count), SHARDS)):
        paths.append(folder / f"{number:04d}.arrow")
        write_arrays(
            paths[-1],
            {"objID": objID[part], "status": ["ok"] * len(part), "image": images[part], "mask": masks[part]},
        )
        pd.DataFrame({"objID": objID[part]}).to_parquet(paths[-1].with_suffix(".parquet"))
    plans = [path.with_suffix(".parquet") for path in paths]
    accounts = {"counts": folder / "counts.json", "missing": folder / "missing.csv"}
    write_index(cutouts=paths, plan=plans, index=folder / "images.parquet", **accounts)
    with h5py.File(folder / "all.h5", "w") as file:
        file.create_dataset("image", data=images, chunks=(1, *SHAPE))
        file.create_dataset("mask", data=masks, chunks=(1, *SHAPE[1:]))
    np.savez(folder / "all.npz", image=images, mask=masks)
    (folder / "each").mkdir()
    for number in range(count):
        np.savez(folder / "each" / f"{number}.npz", image=images[number], mask=masks[number])


def store(folder: Path) -> Gather:
    found = ImageStore(folder / "images.parquet", sorted(folder.glob("*.arrow")))
    return lambda rows: found.gather(found.rows(rows + 1))


def hdf5(folder: Path) -> Gather:
    """Row by row: h5py's selection by a list of rows costs ten times as much."""
    file = h5py.File(folder / "all.h5")
    image, mask = file["image"], file["mask"]

    def gather(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, masks = np.empty((len(rows), *SHAPE), np.float16), np.empty((len(rows), *SHAPE[1:]), np.uint8)
        for place, row in enumerate(rows):
            image.read_direct(images, np.s_[row], np.s_[place])
            mask.read_direct(masks, np.s_[row], np.s_[place])
        return images, masks

    return gather


def npz(folder: Path) -> Gather:
    """The whole file is read to open it."""
    with np.load(folder / "all.npz") as file:
        image, mask = file["image"], file["mask"]
    return lambda rows: (image[rows], mask[rows])


def each(folder: Path) -> Gather:
    def gather(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, masks = np.empty((len(rows), *SHAPE), np.float16), np.empty((len(rows), *SHAPE[1:]), np.uint8)
        for place, row in enumerate(rows):
            with np.load(folder / "each" / f"{row}.npz") as file:
                images[place], masks[place] = file["image"], file["mask"]
        return images, masks

    return gather


def in_order(folder: Path) -> Gather:
    handle = open(folder / "all.npz", "rb", buffering=0)  # noqa: SIM115

    def gather(rows: np.ndarray) -> tuple[np.ndarray]:
        if handle.tell() + len(rows) * BYTES > len(rows) * BYTES * 5 // 3:
            handle.seek(0)
        return (np.fromfile(handle, np.uint8, len(rows) * BYTES),)

    return gather


FLOOR = "floor: read in order"
WAYS: dict[str, Callable[[Path], Gather]] = {
    FLOOR: in_order, "Arrow store": store, "HDF5": hdf5, "one npz": npz, "a file an object": each,
}  # fmt: skip


def once(way: str, folder: Path, rows: np.ndarray) -> None:
    """On standard output: seconds to open, to gather `rows` at once, and in batches; GB held while it streams; a checksum."""
    before = anonymous()
    times = [time.process_time()]
    gather = WAYS[way](folder)
    times.append(time.process_time())
    found = gather(rows)
    times.append(time.process_time())
    total = 0.0 if way == FLOOR else float(found[0][:, 0, 0, 0].sum(dtype=float))
    del found
    times.append(time.process_time())
    for start in range(0, len(rows), BATCH):
        batch = gather(rows[start : start + BATCH])
    times.append(time.process_time())
    opened, gathered, _, streamed = np.diff(times)
    print(json.dumps([opened, gathered, streamed, (anonymous() - before) / 1e6, total, len(batch[0])]))


def anonymous() -> int:
    """kB of this process that are no file's pages (Linux)."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=2000)
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
        os.sync()
        for _ in range(arguments.repeats + 1):  # the first brings the files into the page cache
            for way in WAYS:
                command = [sys.executable, __file__, "--objects", str(arguments.objects), "--once", way, folder]
                found[way].append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    if len({one[4] for way, runs in found.items() if way != FLOOR for one in runs}) > 1:
        raise SystemExit("the ways gave different images")
    size = len(rows) * BYTES / 1e9
    middle = {way: np.median(runs[1:], axis=0) for way, runs in found.items()}
    result = {
        "objects": arguments.objects, "gathered": len(rows), "GB": round(size, 3), "versions": versions("numpy", "pyarrow", "h5py"),
        "ways": {
            way: {
                "open ms": round(1e3 * opened, 1), "at once GB/s": round(size / gathered, 2),
                "in batches GB/s": round(size / streamed, 2), "memory GB": round(held, 3),
            }
            for way, (opened, gathered, streamed, held, *_) in middle.items()
        },
    }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    heads = list(next(iter(result["ways"].values())))
    print(table(["way", *heads], [(way, *row.values()) for way, row in result["ways"].items()]))
    return None


if __name__ == "__main__":
    main()
