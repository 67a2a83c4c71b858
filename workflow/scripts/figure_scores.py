"""Scores of all models, and errors over redshift."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.report import plots

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    plots.write_models(snakemake.input.metrics, snakemake.wildcards.dataset, snakemake.output.models)
    plots.write_error_vs_z(snakemake.input.binned, snakemake.wildcards.dataset, snakemake.output.error_vs_z)
