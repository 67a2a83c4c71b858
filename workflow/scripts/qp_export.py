"""The PDFs of one table of predictions, for qp and RAIL."""

from typing import TYPE_CHECKING

from crossz import qp_export
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    qp_export.write_qp(snakemake.input[0], snakemake.output[0])
