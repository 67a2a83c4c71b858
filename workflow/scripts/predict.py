"""Redshifts of new objects."""

from typing import TYPE_CHECKING

from crossz.apply import predict
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    predict.write_redshifts(
        snakemake.input.targets,
        snakemake.params.columns,
        snakemake.input.ensemble,
        snakemake.output[0],
        snakemake.input.images,
        snakemake.threads,
    )
