"""Frames of one shard's fields -> native stamps."""

from typing import TYPE_CHECKING

from crossz.archive import sas
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    sas.write_stamps(**arguments, config=snakemake.config)
