"""Targets -> objects of the archive."""

from typing import TYPE_CHECKING

from crossz.archive import crossid, skyserver
from crossz.catalog import targets
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments, skyserver.connected(snakemake.config["archive"]) as service:
    targets.write_matched(**arguments, finder=crossid.finder(service))
