"""The authors' .mat files of one shard -> cutouts."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.images import mat

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    mat.write_mat_cutouts(**arguments)
