"""Where each image lies, and which objects have none."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.images import index

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    index.write_index(**arguments)
