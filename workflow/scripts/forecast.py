"""What fetching the planned frames takes."""

from typing import TYPE_CHECKING

from crossz.archive import forecast
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    forecast.write_forecast(**arguments)
