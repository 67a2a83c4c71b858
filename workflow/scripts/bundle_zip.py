"""A bundle as one file."""

from typing import TYPE_CHECKING

from crossz.apply import bundle
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    bundle.pack(snakemake.input[0], snakemake.output[0])
