"""Objects of one shard, without images."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.images.index import write_without_images

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    write_without_images(snakemake.input[0], *snakemake.output)
