"""A finished query of the user, checked and under our names."""

from typing import TYPE_CHECKING

from crossz.catalog import raw
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    raw.write_user_catalog(**arguments)
