"""Draw the network that config/paper.yaml describes, as Figure 2 of the paper, from its modules: docs/network.png.

`python docs/network.py` writes the figure. Every box stands for a submodule of `crossz.models.crossmodal.CrossModal`; its
sizes are those of the module's layers.
"""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import nn

from crossz.models.crossmodal import CHI, PAIRS
from crossz.models.inference import build
from crossz.models.info import ModelInfo

ROOT = Path(__file__).resolve().parents[1]
COLOURS = {
    "data": "#e8e8e8",
    "phot": "#cfe0f3",
    "img": "#fbe3c8",
    "adversary": "#f6d0d0",
    "head": "#d5ecd3",
    "chi": "w",
}


class Box(NamedTuple):
    """A box of the figure: centre, width and height in inches, and what it stands for."""

    x: float
    y: float
    text: str
    kind: str
    width: float = 1.75
    height: float = 0.62


def paper() -> ModelInfo:
    """The network of config/paper.yaml over the defaults."""
    default, overlay = (yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()) for name in ("config", "paper"))
    blocks = {name: default[name] | overlay[name] for name in ("crossmodal", "train", "photometry")}
    return ModelInfo(
        blocks["crossmodal"], blocks["train"], blocks["photometry"]["magnitudes"], seed=0, n={}, scalers={}
    )


def sizes(module: nn.Module) -> str:
    """Widths of the linear layers of a module, as 19 → 256 → 512."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    return " → ".join(str(size) for size in [layers[0].in_features, *(layer.out_features for layer in layers)])


def boxes(net: Any, info: ModelInfo) -> dict[str, Box]:
    """The boxes by name; that of a module has the module's name."""
    attention = net.encode_phot.layers
    bands, token = attention[0].norm.normalized_shape
    colours = net.encode_phot.fusion[0].in_features - bands * token
    encoders = {
        "encode_phot": f"photometry encoder (eq. 1-3)\n{len(attention)} x {info.crossmodal['attention']} attention {bands} x {bands}\n"
        f"f_mlp {sizes(attention[0].mlp)}\nfusion {sizes(net.encode_phot.fusion)}",
        "encode_img": f"image encoder (eq. 4)\n{info.crossmodal['backbone']}, stem {info.crossmodal['stem']}\nf_mlp {sizes(net.encode_img.mlp)}",
    }
    head = "point" if net.redshift[-1].out_features == 1 else f"{net.redshift[-1].out_features // 3} Gaussians"
    return {
        "X_mag": Box(1.0, 5.25, f"magnitudes, errors,\nmissing: {bands} x {token}", "data"),
        "X_colour": Box(1.0, 4.35, f"colors: {colours}", "data"),
        "X_img": Box(1.0, 1.2, f"image: {bands} x 64 x 64", "data"),
        "encode_phot": Box(3.55, 4.8, encoders["encode_phot"], "phot", 2.5, 1.1),
        "encode_img": Box(3.55, 1.2, encoders["encode_img"], "img", 2.5, 0.9),
        "phot": Box(5.95, 4.8, f"χ phot\n{CHI}", "chi", 0.95),
        "img": Box(5.95, 1.2, f"χ img\n{CHI}", "chi", 0.95),
        "decode_phot": Box(7.0, 3.6, f"decoder G_photo (eq. 5)\n{sizes(net.decode_phot)}", "phot"),
        "decode_img": Box(7.0, 2.4, f"decoder G_img (eq. 5)\n{sizes(net.decode_img)}", "img"),
        "phot_gen": Box(9.1, 4.3, f"χ phot, generated\n{CHI}", "chi", 1.35),
        "img_gen": Box(9.1, 1.7, f"χ img, generated\n{CHI}", "chi", 1.35),
        "discriminate_phot": Box(
            11.2, 5.3, f"discriminator D1 (eq. 7)\n{sizes(net.discriminate_phot)}", "adversary", 1.95
        ),
        "discriminate_img": Box(
            11.2, 0.55, f"discriminator D2 (eq. 7)\n{sizes(net.discriminate_img)}", "adversary", 1.95
        ),
        "redshift": Box(11.1, 3.0, f"redshift head (eq. 6): {head}\n{sizes(net.redshift)}", "head", 2.15),
        "extinction": Box(5.0, 0.05, f"extinction head (eq. 6)\n{sizes(net.extinction)}", "head", 1.95),
    }


ARROWS = [
    ("X_mag", "encode_phot"), ("X_colour", "encode_phot"), ("X_img", "encode_img"), ("encode_phot", "phot"), ("encode_img", "img"),
    ("phot", "decode_phot"), ("decode_phot", "img_gen"), ("img", "decode_img"), ("decode_img", "phot_gen"),
    ("phot", "discriminate_phot"), ("phot_gen", "discriminate_phot"), ("img", "discriminate_img"), ("img_gen", "discriminate_img"),
    ("img", "extinction"),
]  # fmt: skip
"""From box to box; those into the redshift head follow from the input patterns that train it."""


def figure(info: ModelInfo) -> Figure:
    """The architecture of the networks of `info`."""
    net, drawn = build(info), Figure(figsize=(12.4, 6.3))
    axes = drawn.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.05, 12.35), ylim=(-0.45, 5.85))
    axes.axis("off")
    here = boxes(net, info)
    pairs = [PAIRS[name] for name in info.trained_inputs]
    into_head = dict.fromkeys(feature for feature in itertools.chain(*pairs) if feature)
    for first, last in [*ARROWS, *((feature, "redshift") for feature in into_head)]:
        reversed_gradient = last.startswith("discriminate")
        _arrow(axes, here[first], here[last], "#b03030" if reversed_gradient else "0.25", reversed_gradient)
    for box in here.values():
        corner = (box.x - box.width / 2, box.y - box.height / 2)
        style: Any = "round,pad=0.02,rounding_size=0.08"
        axes.add_patch(
            FancyBboxPatch(corner, box.width, box.height, style, fc=COLOURS[box.kind], ec="0.2", lw=0.9, zorder=2)
        )
        axes.text(box.x, box.y, box.text, ha="center", va="center", fontsize=7.6, zorder=3)
    strength, ramp = info.crossmodal["reversal"], info.crossmodal["reversal_ramp"]
    note = f"dashed: the gradient comes back reversed, times {strength:g}{', growing from 0' if ramp else ''}"
    axes.text(12.25, -0.3, note, ha="right", fontsize=7.6, color="#b03030")
    trained = ", ".join(info.trained_inputs)
    axes.text(12.25, 2.45, f"trained on: {trained}", ha="right", fontsize=7.6)
    return drawn


def _arrow(axes: Axes, first: Box, last: Box, colour: str, dashed: bool) -> None:
    # From side to side where there is room between the boxes, else from top or bottom.
    across = (
        abs(last.x - first.x) / (first.width + last.width) > abs(last.y - first.y) / (first.height + last.height) / 2
    )
    if across:
        side = 1 if last.x > first.x else -1
        ends = (first.x + side * first.width / 2, first.y), (last.x - side * last.width / 2, last.y)
    else:
        side = 1 if last.y > first.y else -1
        ends = (first.x, first.y + side * first.height / 2), (last.x, last.y - side * last.height / 2)
    style = {"arrowstyle": "-|>", "color": colour, "lw": 1.0, "ls": "--" if dashed else "-", "shrinkA": 1, "shrinkB": 1}
    axes.annotate("", ends[1], ends[0], arrowprops=style, zorder=1)


def main() -> None:
    """Write docs/network.png."""
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        figure(paper()).savefig(ROOT / "docs/network.png", dpi=150, metadata={"Software": None})


if __name__ == "__main__":
    main()
