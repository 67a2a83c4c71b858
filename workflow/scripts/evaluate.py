"""Predictions of one trained network, one table an input pattern."""

from pathlib import Path
from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.models import evaluation

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    evaluation.evaluate(
        *(snakemake.input[name] for name in ("catalog", "split", "index", "shards", "model", "info")),
        {Path(path).stem: path for path in snakemake.output},
        snakemake.threads,
    )
