"""Random parts of one dataset."""

from typing import TYPE_CHECKING

from crossz.catalog import splits
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    del arguments["gate"]  # the rule waits for it
    splits.write_splits(**arguments)
