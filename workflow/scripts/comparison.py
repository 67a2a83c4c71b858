"""Every model against the main network."""

from typing import TYPE_CHECKING

from crossz import comparison
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    comparison.write_comparison(
        snakemake.input.predictions, *snakemake.output, snakemake.params.main, snakemake.params.seed
    )
