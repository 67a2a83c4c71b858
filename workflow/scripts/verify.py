"""Hash everything on disk again."""

from typing import TYPE_CHECKING

from crossz import verify
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    stamps = snakemake.config["stamps"]
    verify.verify("results", stamps["frames_root"], stamps["keep_frames"], snakemake.config["verify"]["subset"])
