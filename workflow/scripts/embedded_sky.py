"""The synthetic sky: tables, frames and the truth behind them."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.sky import build

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    settings = arguments.pop("sky")
    build.build(**arguments, **settings, workers=snakemake.threads)
