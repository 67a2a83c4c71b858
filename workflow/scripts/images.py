"""Where each image lies, and which objects have none."""

from typing import TYPE_CHECKING

from crossz import shards
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    shards.write_index(
        snakemake.input.cutouts,
        snakemake.input.plan,
        snakemake.output.index,
        snakemake.output.counts,
        snakemake.output.missing,
    )
