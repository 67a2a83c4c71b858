"""The PDFs of one table of predictions, for qp and RAIL."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.scores import qp_export

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    qp_export.write_qp(snakemake.input[0], snakemake.output[0])
