"""Rule training_memory: what the trainings will need of a card."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.models import memory

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    memory.forecast(**arguments)
