"""One dataset's SQL, answered by the embedded sky."""

from typing import TYPE_CHECKING

from crossz.archive import embedded
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    embedded.write_query(**arguments)
