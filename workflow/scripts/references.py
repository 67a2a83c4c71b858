"""The photometry-only references on one split."""

from pathlib import Path
from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.models import references

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    references.write_references(
        *snakemake.input,
        {Path(path).parts[-3]: path for path in snakemake.output},
        **snakemake.params.photometry,
        classes=snakemake.params.classes,
        seed=snakemake.params.seed,
    )
