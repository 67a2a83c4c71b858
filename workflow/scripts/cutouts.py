"""Native stamps -> cutouts on the r grid; the frames that waited for their shard go."""

from typing import TYPE_CHECKING

from crossz import cutouts
from crossz.archive import sas
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    sas.release(snakemake.params.cache)
    cutouts.write_cutouts(snakemake.input[0], snakemake.output.cutouts, snakemake.output.counts, snakemake.params.align)
