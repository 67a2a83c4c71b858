"""The PDFs of one table of predictions, for qp and RAIL."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.scores import qp_export

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    qp_export.write_qp(**arguments)
