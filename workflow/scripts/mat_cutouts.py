"""The authors' .mat files of one shard -> cutouts."""

from typing import TYPE_CHECKING

from crossz.archive import mat
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    mat.write_mat_cutouts(
        snakemake.input.plan, snakemake.input.folder, snakemake.output.cutouts, snakemake.output.counts
    )
