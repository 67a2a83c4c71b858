"""Catalogs -> shards of complete fields."""

from typing import TYPE_CHECKING

from crossz.catalog import plan
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    plan.write_plan(**arguments)
