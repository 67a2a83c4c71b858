"""Native stamps -> cutouts on the r grid; the frames that waited for their shard go."""

from typing import TYPE_CHECKING

from crossz.archive import journal
from crossz.core.job import job
from crossz.images import cutouts

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    journal.release(arguments.pop("cache"))
    cutouts.write_cutouts(**arguments)
