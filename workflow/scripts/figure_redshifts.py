"""Figure 1: redshift distributions."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.report import plots

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    plots.write_redshift_histogram(snakemake.input, snakemake.output)
