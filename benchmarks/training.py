"""Images trained a second, beside a plain loop on the same network and rows, and beside what the device could do.

    PYTHONPATH=src python benchmarks/training.py [--backbone small resnet18] [--objects 768] [--batch 64] [--output training.json]

`crossz` is the epoch of crossz.training: images resident on the device, stretched once, channels_last, bfloat16 on a graphics card, no wait for the device in
a step. `plain` is what one writes first: a DataLoader over a file an object, float32, `loss.item()` every step. Repetitions take both in turn; medians. Needs only torch, numpy, pandas and pyarrow (and
torchvision for a backbone of its own).
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset

from crossz import BANDS, machine, shards
from crossz.models import backbones
from crossz.models.crossmodal import objective, trained_patterns
from crossz.training import Part, build, fit_scalers, load_part, train_epoch

CROSSMODAL = {
    "stem": "small", "attention": "symmetric", "attention_layers": 2, "dropout": 0.3, "alpha": 0.2, "beta": 0.1, "reversal": 0.1,
    "z_patterns": "all", "pair_weight": 0.0, "head": "mixture", "components": 4, "target": "log1p",
}  # fmt: skip
SHAPE = (len(BANDS), backbones.IMAGE_SIZE, backbones.IMAGE_SIZE)


def survey(folder: Path, count: int) -> tuple[pd.DataFrame, shards.ImageStore]:
    """`count` objects with noise for photometry and images: in the store, and in a file each."""
    rng = np.random.default_rng(2023)
    rows = pd.DataFrame({"objID": np.arange(count), "z": rng.uniform(1, 5, count), "row": np.arange(count)})
    for band in BANDS:
        rows[f"dered_{band}"], rows[f"psfMag_{band}"] = rng.uniform(18, 22, (2, count))
        rows[f"psfMagErr_{band}"], rows[f"extinction_{band}"] = rng.uniform(0.01, 0.1, (2, count))
    images, masks = rng.normal(0, 1, (count, *SHAPE)).astype(np.float16), np.zeros((count, *SHAPE[1:]), np.uint8)
    columns = {"objID": rows["objID"].to_numpy(), "status": ["ok"] * count, "image": images, "mask": masks}
    shards.write(folder / "0.arrow", columns)
    rows[["objID"]].to_parquet(folder / "plan.parquet")
    index = folder / "images.parquet"
    shards.write_index(
        [folder / "0.arrow"], [folder / "plan.parquet"], index, folder / "c.json", folder / "missing.csv"
    )
    for number in range(count):
        np.save(folder / f"{number}.npy", np.arcsinh(images[number].astype(np.float32)))
    return rows, shards.ImageStore(index, [folder / "0.arrow"])


class Files(Dataset):
    """A file an object."""

    def __init__(self, folder: Path, part: Part):
        self._folder, self._part = folder, part

    def __len__(self) -> int:
        return len(self._part.z)

    def __getitem__(self, row: int) -> tuple:
        image = np.rot90(np.load(self._folder / f"{row}.npy"), int(torch.randint(4, ())), (1, 2)).copy()
        return (
            image,
            *(
                array[row].cpu()
                for array in (self._part.x_mag, self._part.x_colour, self._part.target, self._part.extinction)
            ),
        )


def plain_epoch(
    net: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: DataLoader,
    patterns: list[str],
    device: torch.device,
) -> float:
    total = 0.0
    net.train()
    for batch in loader:
        image, x_mag, x_colour, target, extinction = (array.to(device) for array in batch)
        terms = objective(
            net, net.features(x_mag, x_colour, image), target, extinction,
            patterns=patterns, alpha=0.2, beta=0.1, pair_weight=0.0, reversal=0.1,
        )  # fmt: skip
        optimizer.zero_grad()
        terms["loss"].backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total += terms["loss"].item()
    return total


def seconds(work, device: torch.device) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def ceilings(device: torch.device) -> dict[str, float]:
    """Measured: TFLOP/s of a matrix product in the type that is trained in, GB/s of a copy."""
    kind, size = (torch.bfloat16, 8192) if device.type == "cuda" else (torch.float32, 2048)
    a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    big = torch.empty(1 << 28, dtype=torch.uint8, device=device)
    product, copy = (min(seconds(work, device) for _ in range(6)) for work in (lambda: a @ b, lambda: big.clone()))
    return {"matmul TFLOP/s": round(2 * size**3 / product / 1e12, 2), "copy GB/s": round(2 * len(big) / copy / 1e9, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", nargs="+", default=["small", "resnet18"])
    parser.add_argument("--objects", type=int, default=768)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, default=Path("training.json"))
    arguments = parser.parse_args()
    device = machine.device()
    torch.set_num_threads(arguments.threads)
    training = {
        "batch_size": arguments.batch, "epochs": 100, "schedule": "cosine", "learning_rate": 1e-3, "augment": True,
        "gradient_clip": 1.0,
    }  # fmt: skip
    found = {}
    with tempfile.TemporaryDirectory() as name:
        rows, store = survey(Path(name), arguments.objects)
        for backbone in arguments.backbone:
            crossmodal = CROSSMODAL | {"backbone": backbone}
            scalers = fit_scalers(rows, store, "dered_model", crossmodal)
            info = {"crossmodal": crossmodal, "train": training, "magnitudes": "dered_model", "scalers": scalers}
            part = load_part(rows, store, info, device)
            patterns = trained_patterns("all")
            ours, theirs = build(crossmodal).to(device, memory_format=torch.channels_last), build(crossmodal).to(device)
            optimizers = [torch.optim.AdamW(net.parameters(), 1e-3) for net in (ours, theirs)]
            loader = DataLoader(
                Files(Path(name), part), arguments.batch, shuffle=True, num_workers=2, persistent_workers=True
            )
            ways = {
                "crossz": lambda: train_epoch(ours, optimizers[0], part, info, 1, patterns),  # noqa: B023
                "plain": lambda: plain_epoch(theirs, optimizers[1], loader, patterns, device),  # noqa: B023
            }
            pace: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(arguments.repeats + 1):  # the first warms up
                for way, work in ways.items():
                    pace[way].append(arguments.objects / seconds(work, device))
            found[backbone] = {way: round(statistics.median(runs[1:])) for way, runs in pace.items()}
            print(backbone, found[backbone], flush=True)
        result = {
            "device": torch.cuda.get_device_name() if device.type == "cuda" else f"{platform.machine()}, {arguments.threads} threads",
            "torch": torch.__version__, "objects": arguments.objects, "batch": arguments.batch,
            "ceilings": ceilings(device), "images/s": found,
        }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"{result['device']}, torch {result['torch']}, batch {arguments.batch}; {result['ceilings']}\n")
    print("| backbone | crossz, images/s | plain loop | ratio |\n|---|---|---|---|")
    for backbone, row in found.items():
        print(f"| {backbone} | {row['crossz']:,} | {row['plain']:,} | {row['crossz'] / row['plain']:.1f} |")


if __name__ == "__main__":
    main()
