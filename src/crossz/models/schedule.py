"""What changes in the course of a training: the learning rate, and the strength of the gradient reversal."""

import math
from collections.abc import Mapping
from typing import Any

_WARM_UP = 0.05  # share of a cosine schedule during which the learning rate rises
_RAMP = 10.0  # steepness of the gradient-reversal ramp 2 / (1 + exp(-10 p)) - 1 (Ganin et al. 2016)


def reversal(crossmodal: Mapping[str, Any], progress: float) -> float:
    """Strength of the gradient reversal at `progress` 0..1 of the training."""
    ramp = 2 / (1 + math.exp(-_RAMP * progress)) - 1 if crossmodal["reversal_ramp"] else 1.0
    return float(crossmodal["reversal"] * ramp)


def cosine(progress: float) -> float:
    """Factor of the learning rate at `progress` 0..1 of the training: a short linear warm-up, then half a cosine."""
    if progress < _WARM_UP:
        return max(progress, 1e-3) / _WARM_UP
    return 0.5 * (1 + math.cos(math.pi * (progress - _WARM_UP) / (1 - _WARM_UP)))
