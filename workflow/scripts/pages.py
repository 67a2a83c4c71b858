"""The tables of a run as HTML pages, and the first page of the report."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.report import pages

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    pages.write_pages(**arguments)
