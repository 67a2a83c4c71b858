"""Scores per bin of redshift, magnitude and warning."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.scores import binned

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    binned.write_binned(**arguments)
