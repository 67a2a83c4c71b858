"""Targets -> objects of the embedded sky."""

from typing import TYPE_CHECKING

from crossz.archive import embedded
from crossz.catalog import targets
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    targets.write_matched(
        snakemake.input.targets,
        snakemake.params.columns,
        snakemake.params.extra,
        embedded.finder(snakemake.input.database),
        snakemake.params.radius_arcsec,
        *snakemake.output,
    )
