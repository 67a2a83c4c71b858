"""Where each image lies, and which objects have none."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.images.index import write_index

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    write_index(
        snakemake.input.cutouts,
        snakemake.input.plan,
        snakemake.output.index,
        snakemake.output.counts,
        snakemake.output.missing,
    )
