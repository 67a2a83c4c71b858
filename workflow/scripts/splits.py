"""Random parts of one dataset."""

from typing import TYPE_CHECKING

from crossz.catalog import splits
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    splits.write_splits(snakemake.input[0], snakemake.output, snakemake.params.fractions, snakemake.params.seed)
