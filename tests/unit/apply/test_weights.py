"""Rounded weights are near the trained ones, and scales of another shape are refused."""

import pytest
import torch

from crossz.apply.weights import SCALE, packed, shapes_of, unpacked
from crossz.core.errors import CrosszError


def test_rounded_weights_are_within_half_a_step_of_each_row():
    generator = torch.Generator().manual_seed(1)
    weights = {
        "matrix": torch.randn(40, 3, 30, generator=generator) * 10.0 ** torch.arange(-20, 20)[:, None, None] / 1e3
    }
    weights |= {"zeros": torch.zeros(40, 40), "vector": torch.randn(5000, generator=generator)}
    arrays = packed(weights, "int8")
    assert {name: array.dtype for name, array in arrays.items() if array.dtype != torch.float32} == {
        "matrix": torch.int8,
        "zeros": torch.int8,
    }
    back = unpacked(arrays)
    assert back.keys() == weights.keys()
    step = weights["matrix"].abs().amax((1, 2), keepdim=True) / 127
    assert ((back["matrix"] - weights["matrix"]).abs() <= 0.5001 * step).all()
    assert torch.equal(back["zeros"], weights["zeros"])
    assert torch.equal(back["vector"], weights["vector"])
    assert all(torch.equal(unpacked(packed(weights, "float32"))[name], value) for name, value in weights.items())


@pytest.mark.parametrize("found", [{"a": (4, 6), "a" + SCALE: (4, 6)}, {"a" + SCALE: (1,)}])
def test_scales_that_belong_to_no_row_are_refused(found):
    assert shapes_of({"a": (4, 6), "a" + SCALE: (4, 1)}) == {"a": (4, 6)}
    with pytest.raises(CrosszError, match="scale has the shape"):
        shapes_of(found)
