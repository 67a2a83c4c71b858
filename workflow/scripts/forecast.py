"""What fetching the planned frames takes."""

from typing import TYPE_CHECKING

from crossz.archive import forecast
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    forecast.write_forecast(
        snakemake.input,
        snakemake.output[0],
        snakemake.config["archive"]["rate_MB_s"],
        snakemake.config["mml"]["run"],
    )
