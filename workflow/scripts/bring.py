"""A finished query of the user's, checked and under our names."""

from typing import TYPE_CHECKING

from crossz import catalog
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    catalog.write_brought(
        snakemake.input[0],
        snakemake.params.columns,
        snakemake.output.raw,
        snakemake.output.receipt,
        snakemake.params.further,
    )
