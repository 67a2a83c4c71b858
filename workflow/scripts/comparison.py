"""Every model against the main network."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.scores import comparison

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    comparison.write_comparison(
        snakemake.input.predictions, *snakemake.output, snakemake.params.main, snakemake.params.seed
    )
