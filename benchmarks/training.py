"""Images trained a second, beside a plain loop on the same network and rows, and beside what the device could do.

    PYTHONPATH=src python benchmarks/training.py --objects 128 --batch 32                                # a processor
    PYTHONPATH=src python benchmarks/training.py --backbone resnet18 resnet50 resnet101 vit_b_16 --objects 16384 --batch 1024 --tuned  # a GPU

`crossz` is the epoch of crossz.training: images resident on the device, stretched once, channels_last, bfloat16 on a GPU, no wait for the device in
a step. `plain` is what one writes first: a DataLoader over a file an object, float32, `loss.item()` every step. `tuned` (with --tuned) is `crossz` with train.compile and without
train.deterministic. Repetitions take all in turn; medians. Of a card the peak of memory is beside the forecast of crossz.models.memory. The ceiling is
a measured product of matrices in the type that crossz trains in; `of the ceiling` counts the network's operations, forward and backward. Needs only
torch, numpy, pandas and pyarrow (the ViT: torchvision): the ResNets are torchvision's, written out here, with the published stem (7 x 7, stride 2, pooling) or
crossz's `small` one, which keeps 16 times the pixels. Seconds of processor time on a processor, which other work on the machine touches least; of the clock on a card.
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import table
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from crossz.core.constants import BANDS
from crossz.images.arrow import write_arrays
from crossz.images.index import write_index
from crossz.images.store import ImageStore
from crossz.models import backbones, memory
from crossz.models.crossmodal import CHI, CrossModal, objective
from crossz.models.data import Part, fit_scalers, load_part
from crossz.models.device import choose_device, compile_once, deterministic
from crossz.models.inference import build
from crossz.models.info import ModelInfo
from crossz.models.training import train_epoch

CROSSMODAL = {
    "backbone": "small", "stem": "small", "attention": "symmetric", "attention_layers": 2, "dropout": 0.3, "alpha": 0.2, "beta": 0.1,
    "reversal": 0.1, "reversal_ramp": True, "z_patterns": "all", "pair_weight": 0.0, "hidden_layers": 2, "nll_weight": 0.1, "head": "mixture", "components": 4, "target": "log1p",
}  # fmt: skip
SHAPE = (len(BANDS), backbones.IMAGE_SIZE, backbones.IMAGE_SIZE)
VIT = "vit_b_16"
RESNETS = {
    "resnet18": ((2, 2, 2, 2), 1),
    "resnet50": ((3, 4, 6, 3), 4),
    "resnet101": ((3, 4, 23, 3), 4),
}


class Block(nn.Module):
    """Two convolutions of 3 x 3, or (wider by 4) one between two of 1 x 1, added to what it got."""

    def __init__(self, inputs: int, width: int, wider: int, stride: int):
        super().__init__()
        sizes = ((1, 1), (3, stride), (1, 1)) if wider > 1 else ((3, stride), (3, 1))
        layers, last = [], inputs
        for number, (size, step) in enumerate(sizes):
            outputs = width * wider if number == len(sizes) - 1 else width
            layers += [nn.Conv2d(last, outputs, size, step, size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
            last = outputs
        self.layers = nn.Sequential(*layers[:-1])
        same = inputs == last and stride == 1
        self.short = nn.Identity() if same else nn.Sequential(nn.Conv2d(inputs, last, 1, stride, bias=False), nn.BatchNorm2d(last))  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.layers(x) + self.short(x))


def network(backbone: str, stem: str) -> CrossModal:
    """crossz's network with `backbone`, the ResNets under this stem."""
    block = CROSSMODAL | ({"backbone": backbone, "stem": stem} if backbone == VIT else {})
    net = build(ModelInfo(block, {}, "dered_model", seed=1, n={}, scalers={}))
    if backbone in ("small", VIT):
        return net
    depths, wider = RESNETS[backbone]
    size, stride = (3, 1) if stem == "small" else (7, 2)
    first = nn.Conv2d(len(BANDS), 64, size, stride, size // 2, bias=False)
    pool = nn.Identity() if stem == "small" else nn.MaxPool2d(3, 2, 1)
    layers, last = [first, nn.BatchNorm2d(64), nn.ReLU(), pool], 64
    for number, depth in enumerate(depths):
        for place in range(depth):
            layers.append(Block(last, 64 << number, wider, 2 if number and not place else 1))
            last = (64 << number) * wider
    net.encode_img.cnn = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net.encode_img.mlp[0] = nn.Linear(last, CHI)
    return net


def survey(folder: Path, count: int) -> tuple[pd.DataFrame, ImageStore]:
    """`count` objects with noise for photometry and images: in the store, and in a file each."""
    rng = np.random.default_rng(2023)
    rows = pd.DataFrame({"objID": np.arange(count), "z": rng.uniform(1, 5, count), "row": np.arange(count)})
    for band in BANDS:
        rows[f"dered_{band}"], rows[f"psfMag_{band}"] = rng.uniform(18, 22, (2, count))
        rows[f"psfMagErr_{band}"], rows[f"extinction_{band}"] = rng.uniform(0.01, 0.1, (2, count))
    images, masks = rng.normal(0, 1, (count, *SHAPE)).astype(np.float16), np.zeros((count, *SHAPE[1:]), np.uint8)
    columns = {"objID": rows["objID"].to_numpy(), "status": ["ok"] * count, "image": images, "mask": masks}
    write_arrays(folder / "0.arrow", columns)
    rows[["objID"]].to_parquet(folder / "plan.parquet")
    index = folder / "images.parquet"
    accounts = {"counts": folder / "c.json", "missing": folder / "missing.csv"}
    write_index(cutouts=[folder / "0.arrow"], plan=[folder / "plan.parquet"], index=index, **accounts)
    for number in range(count):
        np.save(folder / f"{number}.npy", np.arcsinh(images[number].astype(np.float32)))
    return rows, ImageStore(index, [folder / "0.arrow"])


class Files(Dataset):
    """A file an object."""

    def __init__(self, folder: Path, part: Part):
        self._folder = folder
        self._rows = [
            array.cpu().numpy() for array in (part.inputs.x_mag, part.inputs.x_colour, part.target, part.extinction)
        ]

    def __len__(self) -> int:
        return len(self._rows[0])

    def __getitem__(self, row: int) -> tuple:
        image = np.rot90(np.load(self._folder / f"{row}.npy"), int(torch.randint(4, ())), (1, 2)).copy()
        return image, *(array[row] for array in self._rows)


def plain_epoch(
    net: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader, patterns: list[str], device: torch.device
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
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total += terms["loss"].item()
    return total


def seconds(work, device: torch.device) -> float:
    if device.type == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def ceilings(device: torch.device) -> dict[str, float]:
    """Measured: TFLOP/s of a matrix product in the type that is trained in, GB/s of a copy."""
    kind, size = (torch.bfloat16, 8192) if device.type == "cuda" else (torch.float32, 2048)
    a, b = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    big = torch.ones(1 << 28, dtype=torch.uint8, device=device)
    to = torch.empty_like(big)
    product, copy = (min(seconds(work, device) for _ in range(8)) for work in (lambda: a @ b, lambda: to.copy_(big)))
    return {"matmul TFLOP/s": round(2 * size**3 / product / 1e12, 3), "copy GB/s": round(2 * len(big) / copy / 1e9, 1)}


def operations(net: nn.Module, part: Part, patterns: list[str]) -> float:
    """Floating-point operations of the products and convolutions of one object, forward and backward."""
    some = torch.arange(4, device=part.target.device)
    with FlopCounterMode(display=False) as counter:
        terms = net(
            part.inputs.x_mag[some], part.inputs.x_colour[some], part.inputs.fetch(some).float(), part.target[some], part.extinction[some],
            patterns=patterns, alpha=0.2, beta=0.1, pair_weight=0.0, reversal=0.1,
        )  # fmt: skip
        terms["loss"].backward()
    return counter.get_total_flops() / len(some)


def compare(backbone: str, rows: pd.DataFrame, store: ImageStore, folder: Path, arguments) -> dict[str, float]:
    """Images a second of both ways, and operations of an image."""
    device = choose_device()
    training = {
        "batch_size": arguments.batch, "epochs": 100, "schedule": "cosine", "learning_rate": 1e-3, "augment": True,
        "gradient_clip": 1.0, "precision": "auto", "compile": False, "optimizer": "adamw", "momentum": 0.2,
    }  # fmt: skip
    info = ModelInfo(CROSSMODAL, training, "dered_model", seed=1, n={}, scalers={})
    info = info.with_fields(scalers=fit_scalers(rows, store, info))
    part, patterns = load_part(rows, store, info, device), info.trained_inputs
    theirs = network(backbone, arguments.stem).to(device)
    optimizer = torch.optim.AdamW(theirs.parameters(), 1e-3)
    loader = DataLoader(
        Files(folder, part), arguments.batch, shuffle=True,
        num_workers=arguments.workers, persistent_workers=arguments.workers > 0,
    )  # fmt: skip
    ways = {"crossz": epoch(backbone, part, info, arguments, tuned=False)}
    if arguments.tuned:
        ways["tuned"] = epoch(backbone, part, info, arguments, tuned=True)
    ways["plain"] = lambda: plain_epoch(theirs, optimizer, loader, patterns, device)
    pace: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(arguments.repeats + 1):  # the first warms up
        for way, work in ways.items():
            pace[way].append(len(rows) / seconds(work, device))
    found = {way: round(statistics.median(runs[1:]), 1) for way, runs in pace.items()}
    if device.type == "cuda":
        found |= peak(ways["crossz"], backbone, info, arguments)
    return found | {"GFLOP": round(operations(theirs, part, patterns) / 1e9, 3)}


def epoch(backbone: str, part: Part, info: ModelInfo, arguments, tuned: bool):
    """An epoch of crossz: exact and eager, or tuned."""
    net = network(backbone, arguments.stem).to(part.target.device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, fused=True)
    info = info.with_fields(train=info.train | {"compile": tuned})
    if tuned:
        compile_once(net.encode_img.cnn)

    def work() -> None:
        deterministic(arguments.threads, exact=not tuned)
        train_epoch(net, optimizer, part, info, 1)
        torch.use_deterministic_algorithms(False)

    return work


def peak(work, backbone: str, info: ModelInfo, arguments) -> dict[str, float]:
    """GiB that an epoch takes beyond what lies on the card before it, and what was forecast of a step's activations."""
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work()
    found = {"step GiB": round((torch.cuda.max_memory_allocated() - before) / 2**30, 2)}
    if backbone in ("small", VIT) or find_spec("torchvision"):
        block = info.crossmodal | {"backbone": backbone, "stem": arguments.stem}
        need = memory.needed(info.with_fields(crossmodal=block), arguments.batch, torch.device("cuda"))
        found["forecast GiB"] = round(need.activations / 2**30, 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", nargs="+", choices=["small", *RESNETS, VIT], default=["small", *RESNETS])
    parser.add_argument("--stem", choices=["imagenet", "small"], default="imagenet")
    parser.add_argument("--objects", type=int, default=768)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=8 * torch.cuda.is_available(), help="of the plain DataLoader")
    parser.add_argument(
        "--tuned", action="store_true", help="beside them: train.compile: true, train.deterministic: false"
    )
    parser.add_argument("--output", type=Path, default=Path("training.json"))
    arguments = parser.parse_args()
    device = choose_device()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as name:
        rows, store = survey(Path(name), arguments.objects)
        ceiling = ceilings(device)
        found = {}
        for backbone in arguments.backbone:
            row = compare(backbone, rows, store, Path(name), arguments)
            row["of the ceiling"] = round(
                row.get("tuned", row["crossz"]) * row["GFLOP"] / 1e3 / ceiling["matmul TFLOP/s"], 3
            )
            found[backbone] = row | {"ratio": round(row.get("tuned", row["crossz"]) / row["plain"], 2)}
            print(backbone, found[backbone], flush=True)
    result = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else platform.machine(),
        "threads": arguments.threads, "workers": arguments.workers, "torch": torch.__version__, "objects": arguments.objects,
        "batch": arguments.batch, "stem": arguments.stem, "ceilings": ceiling, "images/s": found,
    }  # fmt: skip
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\n{result['device']}, torch {result['torch']}, batch {arguments.batch}; {ceiling}\n")
    heads = {
        "GFLOP": "GFLOP an image", "crossz": "crossz, images/s", "tuned": "tuned, images/s", "plain": "plain loop",
        "ratio": "ratio", "of the ceiling": "of the ceiling", "step GiB": "GiB of a step", "forecast GiB": "forecast",
    }  # fmt: skip
    shown = [name for name in heads if any(name in row for row in found.values())]
    lines = ([backbone, *(row.get(name, "") for name in shown)] for backbone, row in found.items())
    print(table(["backbone", *(heads[name] for name in shown)], lines))


if __name__ == "__main__":
    main()
