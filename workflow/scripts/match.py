"""Targets -> objects of the embedded sky."""

from typing import TYPE_CHECKING

from crossz import targets
from crossz.archive import embedded
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    targets.write_matched(
        snakemake.input.targets,
        snakemake.params.columns,
        snakemake.params.further,
        embedded.finder(snakemake.input.database),
        snakemake.params.radius_arcsec,
        *snakemake.output,
    )
