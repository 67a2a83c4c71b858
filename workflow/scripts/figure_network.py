"""How the main network learned, and whether its PDFs are right."""

from typing import TYPE_CHECKING

from crossz import plots
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    plots.write_pit(snakemake.input.predictions, snakemake.output.pit)
    plots.write_calibration(snakemake.input.predictions, snakemake.output.calibration)
    plots.write_learning(snakemake.input.histories, snakemake.output.learning)
