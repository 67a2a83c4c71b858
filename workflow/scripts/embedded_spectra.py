"""Spectra of the synthetic quasars, as lite spec files."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.sky import spectroscopy

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    spectroscopy.write_spectra(**arguments)
