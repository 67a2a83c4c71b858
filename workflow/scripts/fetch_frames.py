"""Frames of one shard's fields -> the user's folder of frames."""

from typing import TYPE_CHECKING

from crossz.archive import sas
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

place = sas.place(snakemake.config)
cache = f"results/frames/{snakemake.wildcards.shard}"
with logged(snakemake.log[0]), sas.shard_frames(snakemake.input[0], cache, place) as frames:
    frames.fetch_all()
    frames.write_manifest(snakemake.output[0])
