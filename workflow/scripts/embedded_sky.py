"""The synthetic sky: tables, frames and the truth behind them."""

from typing import TYPE_CHECKING

from crossz import sky
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    sky.build(
        snakemake.output.database,
        snakemake.output.sas,
        snakemake.output.truth,
        seed=snakemake.params.seed,
        workers=snakemake.threads,
        **snakemake.params.sky,
    )
