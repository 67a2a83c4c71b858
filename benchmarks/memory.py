"""Memory of a training by backbone and stem: what an image adds to the saved activations, and what a batch of 1,024 needs.

    PYTHONPATH=src python benchmarks/memory.py

Nothing is trained and no card is needed: crossz.models.memory runs the network on tensors that have shapes and types alone.
"""

import argparse
import json
import math
from pathlib import Path

import torch
import yaml
from common import table

from crossz.models import memory
from crossz.models.info import ModelInfo

CONFIG = Path(__file__).parents[1] / "config/config.yaml"
BACKBONES = ("small", "resnet18", "resnet50", "resnet101", "convnext_tiny", "vit_b_16")
BATCH, CARD_GIB = 1024, 40


def info_of(backbone: str, stem: str, precision: str) -> ModelInfo:
    """The default network with this backbone."""
    config = yaml.safe_load(CONFIG.read_text())
    block = config["crossmodal"] | {"backbone": backbone, "stem": stem}
    train = config["train"] | {"precision": precision}
    return ModelInfo(block, train, "dered_model", seed=1, n={}, scalers={})


def measured(backbone: str, stem: str, device: torch.device) -> dict[str, float | int | str]:
    """A row of the table."""
    half, full = (info_of(backbone, stem, precision) for precision in ("bfloat16", "float32"))
    need, slope = memory.needed(half, BATCH, device), memory.image_bytes(half, device)
    fixed = need.total - memory.MARGIN * slope * BATCH
    return {
        "backbone": backbone,
        "stem": stem,
        "MB an image, bfloat16": round(slope / 1e6, 2),
        "float32": round(memory.image_bytes(full, device) / 1e6, 2),
        f"GiB at {BATCH:,}": round(need.total / 2**30, 1),
        f"largest batch in {CARD_GIB} GiB": math.floor((CARD_GIB * 2**30 - fixed) / slope / memory.MARGIN),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("memory.json"))
    arguments = parser.parse_args()
    cases = [
        (name, stem) for name in BACKBONES for stem in ("imagenet", "small") if (name, stem) != ("small", "imagenet")
    ]
    rows = [measured(*case, torch.device("cpu")) for case in cases]
    arguments.output.write_text(json.dumps({"rows": rows, "torch": torch.__version__}, indent=1) + "\n")
    print(
        table(
            list(rows[0]),
            ([f"{value:,}" if isinstance(value, int) else value for value in row.values()] for row in rows),
        )
    )


if __name__ == "__main__":
    main()
