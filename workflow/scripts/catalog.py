"""Raw rows -> one row per objID, grouped."""

from typing import TYPE_CHECKING

from crossz.catalog import objects
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    objects.write_catalog(**arguments)
