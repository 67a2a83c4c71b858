"""Where each image lies, and the gate on losses."""

from typing import TYPE_CHECKING

from crossz import shards
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    shards.write_index(snakemake.input, snakemake.output.index, snakemake.output.counts, snakemake.params.max_loss)
