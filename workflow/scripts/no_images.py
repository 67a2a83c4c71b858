"""Objects of one shard, without images."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.images import no_images

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    no_images.write_without_images(**arguments)
