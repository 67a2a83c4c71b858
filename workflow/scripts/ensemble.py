"""Rule ensemble: temperatures and scores of all splits together."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.scores import ensemble

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    ensemble.write_ensemble(**arguments)
