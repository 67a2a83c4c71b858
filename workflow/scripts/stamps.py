"""Frames of one shard's fields -> native stamps."""

from typing import TYPE_CHECKING

from crossz.archive import sas
from crossz.core.job import logged
from crossz.images import stamps

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

place = sas.place(snakemake.config, snakemake.input.get("frames"))
with logged(snakemake.log[0]), sas.shard_frames(snakemake.input.plan, snakemake.params.cache, place) as frames:
    stamps.write_stamps(
        snakemake.input.plan, frames, snakemake.output.stamps, snakemake.output.counts, snakemake.params.edges
    )
    frames.write_manifest(snakemake.output.manifest)
