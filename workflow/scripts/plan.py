"""Catalogs -> shards of whole fields."""

from typing import TYPE_CHECKING

from crossz.catalog import plan
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    plan.write_plan(snakemake.input, snakemake.output, snakemake.params.needs_fields)
