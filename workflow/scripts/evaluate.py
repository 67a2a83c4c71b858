"""Rule evaluate: the estimates of one split's networks, one table for each input pattern."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.models import evaluation

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    evaluation.evaluate(**arguments, threads=snakemake.threads)
