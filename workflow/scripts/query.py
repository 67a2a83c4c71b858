"""One dataset's SQL, answered by the embedded sky."""

from typing import TYPE_CHECKING

from crossz.archive import embedded
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    embedded.write_query(
        snakemake.input.sql,
        snakemake.input.database,
        snakemake.output.raw,
        snakemake.output.receipt,
        snakemake.params.extra,
    )
