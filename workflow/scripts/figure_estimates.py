"""Figure 3: estimates against spectra, one figure an input pattern."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.report import plots

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    plots.write_estimates(snakemake.input, snakemake.output.png, snakemake.output.pdf)
