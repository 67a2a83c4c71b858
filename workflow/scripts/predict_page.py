"""A page about new objects and their redshifts."""

from typing import TYPE_CHECKING

from crossz import page
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    page.write_page(snakemake.input.table, snakemake.output[0], snakemake.input.images)
