"""The fast linear layer: the same numbers to rounding, and the same training."""

import pytest
import torch
from torch import nn

from crossz.models.linear import Linear, linear


def layers(inputs: int = 40, outputs: int = 8) -> tuple[nn.Linear, Linear]:
    plain, fast = nn.Linear(inputs, outputs), Linear(inputs, outputs)
    fast.load_state_dict(plain.state_dict())
    return plain, fast


@pytest.mark.parametrize("rows", [0, 1, 64, 513])
def test_where_nothing_is_trained_products_agree_to_rounding(rows):
    torch.manual_seed(rows)
    plain, fast = layers()
    x = torch.randn(rows, 40)
    with torch.inference_mode():
        torch.testing.assert_close(fast(x), plain(x))


def test_half_of_the_columns_of_a_weight_will_do():
    torch.manual_seed(0)
    weight, bias, x = torch.randn(8, 40), torch.randn(8), torch.randn(5, 20)
    with torch.inference_mode():
        torch.testing.assert_close(linear(x, weight[:, 20:], bias), x @ weight[:, 20:].T + bias)


def test_a_training_gets_the_bytes_and_gradients_of_torch():
    torch.manual_seed(0)
    plain, fast = layers()
    x = torch.randn(64, 40)
    for layer in (plain, fast):
        layer(x).square().sum().backward()
    assert torch.equal(plain.weight.grad, fast.weight.grad)
    with torch.no_grad():
        assert torch.equal(plain(x), fast(x))


def test_bfloat16_stays_with_torch():
    plain, fast = layers()
    x = torch.randn(64, 40)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert fast(x).dtype == torch.bfloat16
        assert torch.equal(plain(x), fast(x))
