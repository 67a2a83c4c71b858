"""A finished query of the user's, checked and under our names."""

from typing import TYPE_CHECKING

from crossz.catalog.objects import write_user_catalog
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    write_user_catalog(
        snakemake.input[0],
        snakemake.params.columns,
        snakemake.output.raw,
        snakemake.output.receipt,
        snakemake.params.extra,
    )
