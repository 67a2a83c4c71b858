"""Stops the run when too many objects have no image."""

from typing import TYPE_CHECKING

from crossz import shards
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    shards.gate(snakemake.input.counts, snakemake.input.missing, snakemake.output[0], snakemake.params.max_loss)
