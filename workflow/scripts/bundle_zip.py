"""Rule bundle_zip: a bundle as one file."""

from typing import TYPE_CHECKING

from crossz.apply import bundle_folder
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    bundle_folder.pack(**arguments)
