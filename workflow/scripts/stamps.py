"""Frames of one shard's fields -> native stamps."""

from typing import TYPE_CHECKING

from crossz import stamps
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    stamps.write_stamps(
        snakemake.input.plan,
        snakemake.input.frames,
        snakemake.output.stamps,
        snakemake.output.counts,
        snakemake.params.edges,
    )
