"""What a training says of itself while it runs."""

import logging
import time
from typing import Any

from crossz.models.info import ModelInfo

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 5.0
"""A line of progress is logged at the end of an epoch when the last one is older than this."""


class Progress:
    """A line of the log now and then: where the training of one network stands, and how long it will take."""

    def __init__(self, number: int, objects: int, begun: int, info: ModelInfo):
        self._number, self._objects, self._begun, self._info = number, objects, begun, info
        self._started = self._told = time.monotonic()

    def tell(self, state: dict[str, Any]) -> None:
        """Called after every epoch with what `training.train_member` knows."""
        now, epochs, members = time.monotonic(), self._info.train["epochs"], self._info.train["members"]
        if now - self._told <= PROGRESS_SECONDS and state["epoch"] < epochs:
            return
        self._told = now
        pace = (now - self._started) / (state["epoch"] - self._begun)
        row = state["history"][-1]
        loss, error = ("classes", "wrong") if self._info.classes else ("redshift", "RMSE")
        pattern = self._info.trained_inputs[0]
        member = f"network {self._number + 1}/{members}, " if members > 1 else ""
        log.info(
            f"{member}epoch {state['epoch']}/{epochs}  loss {row['loss']:.4f}  J_z {row[loss]:.4f}  "
            f"val {error} {row[f'val {pattern}']:.4f}, score {row['score']:.4f} (best {state['best']:.4f})  "
            f"{self._objects / pace:,.0f} images/s, {pace * (epochs - state['epoch']):.0f} s left"
        )
