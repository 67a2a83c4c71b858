"""Rule also: rows that only train."""

from typing import TYPE_CHECKING

from crossz.catalog import also
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    also.write_also(**arguments)
