"""Rule trees: the trees of the stack, of all splits."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.models import growing

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    growing.write_trees(**arguments, threads=snakemake.threads)
