"""Stops the run when too many objects have no image."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.images.gate import gate

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    gate(snakemake.input.counts, snakemake.input.missing, snakemake.output[0], snakemake.params.max_loss)
