"""Catalogues -> shards of whole fields."""

from typing import TYPE_CHECKING

from crossz import plan
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    plan.write_plan(snakemake.input, snakemake.output, snakemake.params.needs_fields)
