"""Hash everything on disk again."""

from typing import TYPE_CHECKING

from crossz import verify
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    verify.verify("results", snakemake.config["stamps"]["frames_root"], snakemake.config["verify"]["subset"])
