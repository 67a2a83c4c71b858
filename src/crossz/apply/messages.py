"""What the command `crossz` says on the terminal while it works."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

from crossz.core.job import harmless


class _Lines(logging.Formatter):
    """Messages for the terminal; warnings in red where it has colours."""

    def format(self, record: logging.LogRecord) -> str:
        text = harmless(super().format(record))
        red = record.levelno >= logging.WARNING and sys.stderr.isatty() and "NO_COLOR" not in os.environ
        return f"\033[31m{text}\033[0m" if red else text


@contextlib.contextmanager
def messages_from(level: int) -> Iterator[None]:
    """Write the messages of crossz from `level` on to stderr."""
    logger, handler = logging.getLogger("crossz"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
