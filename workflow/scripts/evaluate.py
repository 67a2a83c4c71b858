"""Predictions of one trained network, one table an input pattern."""

from pathlib import Path
from typing import TYPE_CHECKING

from crossz import training
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    training.evaluate(
        *(snakemake.input[name] for name in ("catalog", "split", "index", "shards", "model", "info")),
        {Path(path).stem: path for path in snakemake.output},
        snakemake.threads,
    )
