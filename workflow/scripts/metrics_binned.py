"""Scores per redshift, magnitude and warning bin."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.scores import binned

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    binned.write_binned(
        snakemake.input.predictions, snakemake.input.catalogs, snakemake.output[0], snakemake.params.seed
    )
