"""Objects -> the nearest sources of external surveys."""

from typing import TYPE_CHECKING

from crossz.archive import services, xmatch
from crossz.catalog import crossmatch
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

archive = snakemake.config["archive"]
with job(snakemake) as arguments, services.crossmatch_client(archive) as client:
    find = xmatch.finder(client, archive, arguments.pop("cache"))
    crossmatch.write_crossmatched(**arguments, find=find)
