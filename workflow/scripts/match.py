"""Targets -> objects of the embedded sky."""

from typing import TYPE_CHECKING

from crossz.archive import embedded_crossid
from crossz.catalog import targets
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    finder = embedded_crossid.finder(arguments.pop("database"))
    targets.write_matched(**arguments, finder=finder)
