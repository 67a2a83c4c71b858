"""Random parts of one dataset."""

from typing import TYPE_CHECKING

from crossz import splits
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    splits.write_splits(snakemake.input[0], snakemake.output, snakemake.params.fractions, snakemake.params.seed)
