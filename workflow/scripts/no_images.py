"""Objects of one shard, without images."""

from typing import TYPE_CHECKING

from crossz import shards
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    shards.write_without_images(snakemake.input[0], *snakemake.output)
