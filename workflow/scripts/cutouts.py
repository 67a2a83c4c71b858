"""Native stamps -> cutouts on the r grid; the frames that waited for their shard go."""

from typing import TYPE_CHECKING

from crossz.archive import sas
from crossz.core.job import logged
from crossz.images import cutouts

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    sas.release(snakemake.params.cache)
    cutouts.write_cutouts(snakemake.input[0], snakemake.output.cutouts, snakemake.output.counts, snakemake.params.align)
