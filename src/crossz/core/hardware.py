"""What the computer has that a job runs on."""

from pathlib import Path


def has_gpu() -> bool:
    """Whether there is an NVIDIA GPU: its device file; asking the driver would cost seconds."""
    return Path("/dev/nvidia0").exists()
