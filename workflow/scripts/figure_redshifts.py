"""Figure 1: distributions of redshift."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.report import redshifts

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    redshifts.write_redshift_histogram(**arguments)
