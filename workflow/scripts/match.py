"""Targets -> objects of the embedded sky."""

from typing import TYPE_CHECKING

from crossz.archive import embedded_crossid
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    embedded_crossid.write_matched(**arguments)
