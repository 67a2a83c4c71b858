"""Images and PDFs of objects with good estimates and with the worst."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.report import gallery

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    gallery.write_gallery(**arguments)
