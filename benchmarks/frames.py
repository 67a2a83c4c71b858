"""What it costs to have stamps out of frames: whole, prefix and blocks, beside the decode alone and the naive way.

    PYTHONPATH=src python benchmarks/frames.py [--sas FOLDER] [--frames 5] [--repeats 5] [--output frames.json]

Frames of real size are rendered as the embedded sky's when no FOLDER in the archive's layout is named. Each repetition takes every way in turn on the same frame,
for one object at a random row, so that a busy machine slows all alike; ratios are of medians of processor time, against `bz2.decompress` of the same file.
"""

import argparse
import bz2
import hashlib
import io
import json
import re
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS
from common import table

from crossz.core.provenance import versions
from crossz.images import stamps
from crossz.sdss import bz2_blocks
from crossz.sdss.frames import FieldID, decode
from crossz.sky.build import build

warnings.simplefilter("ignore")


class Source:
    """The bytes of a file on disk, and how many were read."""

    def __init__(self, path: Path):
        self._path, self.size, self.asked = path, path.stat().st_size, 0

    def __call__(self, start: int, stop: int) -> bytes:
        with open(self._path, "rb") as handle:
            handle.seek(start)
            part = handle.read(stop - start)
        self.asked += len(part)
        return part


def identity(path: Path) -> tuple[FieldID, str]:
    """Field and band of a frame's file name."""
    _, band, run, camcol, field = re.split(r"[-.]", path.name)[:5]
    return FieldID(301, int(run), int(camcol), int(field)), band


def floor(path: Path, y: int) -> float:
    bz2.decompress(path.read_bytes())
    return 1.0


def plain(path: Path, y: int) -> float:
    """What astropy needs for all pixels once, without any check."""
    with fits.open(io.BytesIO(bz2.decompress(path.read_bytes()))) as hdus:
        stamps.cut(hdus[0].data, 1000.0, y)
    return 1.0


def whole(path: Path, y: int) -> float:
    body = path.read_bytes()
    frame = decode(body, *identity(path))
    hashlib.sha256(body).hexdigest()
    stamps.cut(frame.data, 1000.0, y)
    return 1.0


def partial(way: str) -> Callable[[Path, int], float]:
    def read(path: Path, y: int) -> float:
        source = Source(path)
        frame = bz2_blocks.read(source, *identity(path), lambda _: [(y - 40, y + 40)], way).frame
        stamps.cut(frame.data, 1000.0, y)
        return source.asked / source.size

    return read


def naive(path: Path, y: int) -> float:
    """`fits.open` once an object and band."""
    with fits.open(path) as hdus:
        Cutout2D(hdus[0].data, (1000, y), 80, WCS(hdus[0].header), mode="partial")
    return 1.0


WAYS = {
    "floor": floor,
    "plain": plain,
    "whole": whole,
    "prefix": partial("prefix"),
    "blocks": partial("blocks"),
    "naive": naive,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sas", type=Path, help="folder with dr17/eboss/photoObj/frames/...")
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("frames.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sas = arguments.sas or Path(folder, "sas")
        if arguments.sas is None:
            build(
                database=Path(folder, "sky.sqlite"), sas=sas, truth=Path(folder, "truth.parquet"),
                seed=2023, quasars=100, frame=(2048, 1489), quasars_per_field=25, workers=2,
            )  # fmt: skip
        paths = sorted(sas.rglob("frame-*.fits.bz2"))
        paths = paths[:: max(len(paths) // arguments.frames, 1)][: arguments.frames]
        rng = np.random.default_rng(2023)
        rows = rng.permutation(np.linspace(0, 1488, len(paths) * arguments.repeats).astype(int)).reshape(-1, len(paths))
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        bytes_read: dict[str, list[float]] = {way: [] for way in WAYS}
        for repeat in range(arguments.repeats):
            for path, y in zip(paths, rows[repeat], strict=True):
                for way, run in WAYS.items():
                    start = time.process_time()
                    bytes_read[way].append(run(path, int(y)))
                    seconds[way].append(time.process_time() - start)
    result = {
        "frames": "real" if arguments.sas else "embedded sky, 2048 x 1489",
        "repetitions": len(seconds["floor"]),
        "versions": versions("numpy", "astropy"),
        "ways": {
            way: {
                "ms": round(1e3 * statistics.median(found), 1),
                "of_floor": round(statistics.median(found) / statistics.median(seconds["floor"]), 3),
                "mean_of_floor": round(statistics.mean(found) / statistics.mean(seconds["floor"]), 3),
                "bytes": round(statistics.mean(bytes_read[way]), 3),
            }
            for way, found in seconds.items()
        },
    }
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    heads = ["way", "ms", "of the floor (medians)", "of the floor (means)", "bytes"]
    print(table(heads, [(way, *row.values()) for way, row in result["ways"].items()]))


if __name__ == "__main__":
    main()
