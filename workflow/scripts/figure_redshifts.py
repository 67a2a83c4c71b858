"""Figure 1: redshift distributions."""

from typing import TYPE_CHECKING

from crossz import plots
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    plots.write_redshift_histogram(snakemake.input, snakemake.output)
