"""Figure 3: estimates against spectra."""

from typing import TYPE_CHECKING

from crossz import plots
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    plots.write_estimate(snakemake.input, snakemake.output)
