"""One dataset's SQL, answered by CasJobs or SkyServer."""

from typing import TYPE_CHECKING

from crossz.archive import query
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    query.write_archive_query(
        snakemake.input[0],
        snakemake.config["catalog"]["backend"],
        snakemake.config["archive"],
        snakemake.params.cache,
        snakemake.output.raw,
        snakemake.output.receipt,
        snakemake.params.extra,
    )
