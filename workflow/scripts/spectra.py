"""Spectra of one shard's objects, on disk or fetched -> the common grid."""

from typing import TYPE_CHECKING

from crossz.archive import spectra
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    spectra.write_spectra(**arguments, config=snakemake.config)
