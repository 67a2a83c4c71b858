"""What torch computes on: the graphics card where there is one, else the processor, with results that repeat."""

import os

import torch


def device() -> torch.device:
    """The graphics card where there is one, the processor otherwise."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def deterministic(threads: int) -> None:
    """Compute the same bytes each time, on at most `threads` threads of the processor."""
    torch.set_num_threads(threads)
    if torch.cuda.is_available():  # what this imports takes seconds, and sums on the processor have one order anyway
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.backends.cudnn.benchmark = False
