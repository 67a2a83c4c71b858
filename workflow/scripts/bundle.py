"""The networks of all splits as one folder."""

from typing import TYPE_CHECKING

from crossz.apply import bundle
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PATHS = ("models", "infos", "splits", "catalog", "index", "receipt", "metrics", "record")

with logged(snakemake.log[0]):
    bundle.export(
        *(snakemake.input[name] for name in PATHS),
        next(iter(snakemake.input.query), None),
        snakemake.output[0],
        dataset=snakemake.wildcards.dataset,
        network=snakemake.wildcards.model,
        align=snakemake.params.align,
        references=snakemake.params.references,
    )
