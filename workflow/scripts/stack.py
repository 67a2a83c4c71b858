"""Rule stack: the main network and trees pooled."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.scores import stack

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    stack.write_stack(**arguments)
