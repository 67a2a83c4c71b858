"""Weights of a bundle: as they were trained, or as whole numbers of 8 bits with a scale for each row of a matrix."""

from collections.abc import Mapping

import torch

from crossz.core.errors import CrosszError

SCALE = ":scale"
"""End of the name of the scales [rows, 1, ...] of an array of whole numbers."""
_SMALL = 1000  # numbers of an array that is not worth rounding


def packed(weights: Mapping[str, torch.Tensor], kind: str) -> dict[str, torch.Tensor]:
    """The arrays that are written of `weights`; `kind`: float32 or int8. `unpacked` is the inverse, except for rounding.

    The largest number of each row is 127 times its scale. So a number is wrong by 1/254 of the largest one at most.
    """
    arrays: dict[str, torch.Tensor] = {}
    for name, value in weights.items():
        if kind == "int8" and value.ndim > 1 and value.numel() > _SMALL:
            scale = value.abs().amax(tuple(range(1, value.ndim)), keepdim=True).clamp(min=1e-30) / 127
            arrays |= {name: (value / scale).round().to(torch.int8), name + SCALE: scale}
        else:
            arrays[name] = value
    return {name: value.contiguous() for name, value in arrays.items()}


def unpacked(arrays: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights that `packed` made `arrays` of."""
    return {
        name: value.float() * arrays[name + SCALE] if name + SCALE in arrays else value
        for name, value in arrays.items()
        if not name.endswith(SCALE)
    }


def shapes_of(found: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The shapes of the weights, from those of the arrays that hold them.

    Raises
    ------
    CrosszError
        Scales do not belong to an array.
    """
    shapes = {name: shape for name, shape in found.items() if not name.endswith(SCALE)}
    for name, shape in found.items():
        rows = shapes.get(name.removesuffix(SCALE), ())
        if name.endswith(SCALE) and shape != (*rows[:1], *[1] * len(rows[1:])):
            raise CrosszError(f"{name} has the shape {shape}")
    return shapes
