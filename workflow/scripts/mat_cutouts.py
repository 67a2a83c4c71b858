"""The authors' .mat files of one shard -> cutouts."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.images import mat

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    mat.write_mat_cutouts(
        snakemake.input.plan, snakemake.input.folder, snakemake.output.cutouts, snakemake.output.counts
    )
