"""Scores per redshift, magnitude and warning bin."""

from typing import TYPE_CHECKING

from crossz import binned
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    binned.write_binned(
        snakemake.input.predictions, snakemake.input.catalogs, snakemake.output[0], snakemake.params.seed
    )
