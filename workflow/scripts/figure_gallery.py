"""Images and PDFs of objects with good and with the worst estimates."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.report import gallery

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    gallery.write_gallery(
        *(snakemake.input[name] for name in ("predictions", "catalog", "index", "shards")), snakemake.output
    )
