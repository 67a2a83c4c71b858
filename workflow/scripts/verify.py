"""Hash everything on disk again."""

from typing import TYPE_CHECKING

from crossz.core import verify
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    stamps = snakemake.config["stamps"]
    verify.verify(stamps["frames_root"], stamps["keep_frames"], snakemake.config["verify"]["subset"])
