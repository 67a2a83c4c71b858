"""Rule domain: what the distance of new objects from the training part is measured from."""

from typing import TYPE_CHECKING

from crossz.apply import domain
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    domain.write_domain(**arguments)
