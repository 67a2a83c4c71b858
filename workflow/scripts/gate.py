"""Stops the run when too many objects have no image."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.images import gate

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    gate.write_gate(**arguments)
