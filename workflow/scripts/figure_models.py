"""Scores of all models beside those of the paper."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.report import models

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    models.write_models(**arguments, dataset=snakemake.wildcards.dataset)
