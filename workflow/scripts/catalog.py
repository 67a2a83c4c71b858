"""Raw rows -> one row per objID, grouped."""

from typing import TYPE_CHECKING

from crossz.catalog.objects import write_catalog
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    write_catalog(
        snakemake.input[0],
        snakemake.output.catalog,
        snakemake.output.counts,
        snakemake.params.radius_arcsec,
        snakemake.params.classes,
    )
