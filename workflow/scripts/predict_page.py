"""A page about new objects and their redshifts."""

from typing import TYPE_CHECKING

from crossz.apply import html_page
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    html_page.write_html_page(snakemake.input.table, snakemake.output[0], snakemake.input.images)
