"""Rule stack: the main network and trees pooled."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.estimates import stacked

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    stacked.write_stack(**arguments)
