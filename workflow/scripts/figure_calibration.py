"""Whether the PDFs of the main network are right."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.report import calibration

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    calibration.write_calibration(**arguments)
