"""Linear layers, as fast as the processor allows where nothing is trained."""

import torch
from torch import nn
from torch.nn import functional as F

_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """x [n, i] weight [o, i]^T + bias [o] -> [n, o].

    torch gives the products of float32 to MKL, which takes slow paths on processors of AMD. oneDNN, the other library in torch,
    is more than twice as fast there. It has no gradient, and its sums have another order: so it computes in
    torch.inference_mode alone, and what is trained and scored does not depend on it.
    """
    plain = x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    if _ONEDNN and plain and torch.is_inference_mode_enabled():
        whole = weight.contiguous()  # a part of its columns would take oneDNN a hundred times as long
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, whole, bias, "none", [], "")
        return product
    return F.linear(x, weight, bias)


class Linear(nn.Linear):
    """nn.Linear by `linear`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return linear(x, self.weight, self.bias)
