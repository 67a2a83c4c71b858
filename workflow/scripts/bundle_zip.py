"""A bundle as one file."""

from typing import TYPE_CHECKING

from crossz import bundle
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    bundle.pack(snakemake.input[0], snakemake.output[0])
