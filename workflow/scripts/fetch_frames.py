"""Frames of one shard's fields -> the user's folder of frames."""

from typing import TYPE_CHECKING

from crossz.archive import sas
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    sas.fetch_frames(**arguments, config=snakemake.config)
