"""Rule bundle: the networks of all splits as one folder."""

from typing import TYPE_CHECKING

from crossz.apply import export
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    export.export(**arguments)
