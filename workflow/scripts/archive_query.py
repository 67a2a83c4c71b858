"""One dataset's SQL, answered by CasJobs or SkyServer."""

from typing import TYPE_CHECKING

from crossz.archive import query, services
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

backend, archive = snakemake.config["catalog"]["backend"], snakemake.config["archive"]
with job(snakemake) as arguments, services.connected(backend, archive) as service:
    query.write_archive_query(**arguments, service=service)
