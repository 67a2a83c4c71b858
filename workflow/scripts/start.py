"""Rule start: the weights of a bundle, as the start of a training."""

from typing import TYPE_CHECKING

from crossz.apply import start
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    start.write_start(**arguments)
