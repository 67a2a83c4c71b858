"""Every model compared with the main network."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.scores import comparison

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    comparison.write_comparison(**arguments)
