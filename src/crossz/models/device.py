"""The device that torch computes on, with results that repeat."""

import contextlib
import os
import shutil
from typing import TypeVar

import torch
from torch import nn

from crossz.core.errors import CrosszError


def choose_device() -> torch.device:
    """The GPU where there is one, the processor otherwise."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def deterministic(threads: int, exact: bool = True) -> None:
    """Compute the same bytes each time, on at most `threads` threads of the processor.

    Unless `exact`, a card may take the algorithms that are fastest here and now, whose sums have any order.
    """
    torch.set_num_threads(threads)
    if torch.cuda.is_available():  # what this imports takes seconds, and sums on the processor have one order anyway
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(exact, warn_only=True)
        torch.backends.cudnn.benchmark = not exact


Net = TypeVar("Net", bound=nn.Module)


def on_device(net: Net, device: torch.device) -> Net:
    """`net` on `device`, its images with the channels last in memory, which is the fast order of convolutions."""
    return net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


def compile_once(net: nn.Module) -> None:
    """Have torch.compile make code of `net` when it is first called, in place; its parameters keep their names.

    The code is for one shape of its input: every other shape would be compiled anew.

    Raises CrosszError where there is no C++ compiler.
    """
    if shutil.which(compiler := os.environ.get("CXX", "g++")) is None:
        raise CrosszError(
            f"train.compile: torch.compile needs a C++ compiler, and there is no {compiler}; install one, or set it to false"
        )
    net.compile(dynamic=False)


def uncompiled(compiled: bool) -> contextlib.AbstractContextManager:
    """Compute without the code of `compile_once`: what is computed once need not be compiled for its shapes."""
    return torch.compiler.set_stance("force_eager") if compiled else contextlib.nullcontext()
