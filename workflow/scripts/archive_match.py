"""Targets -> objects of the archive."""

from typing import TYPE_CHECKING

from crossz.archive import crossid
from crossz.archive.http import Client, limits
from crossz.catalog import targets
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

archive = snakemake.config["archive"]
with logged(snakemake.log[0]), Client(limits(archive)) as client:
    targets.write_matched(
        snakemake.input.targets,
        snakemake.params.columns,
        snakemake.params.extra,
        crossid.finder(client, archive),
        snakemake.params.radius_arcsec,
        *snakemake.output,
    )
