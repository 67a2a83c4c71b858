"""Raw rows -> one row per objID, grouped."""

from typing import TYPE_CHECKING

from crossz import catalog
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    catalog.write_catalog(
        snakemake.input[0],
        snakemake.output.catalog,
        snakemake.output.counts,
        snakemake.params.radius_arcsec,
        snakemake.params.classes,
    )
