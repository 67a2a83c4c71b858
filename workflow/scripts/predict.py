"""Rule predict: redshifts of new objects."""

from typing import TYPE_CHECKING

from crossz.apply import redshifts
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    redshifts.write_redshifts(**arguments, threads=snakemake.threads)
