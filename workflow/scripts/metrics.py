"""Scores, Table 1 and the record of the run."""

from typing import TYPE_CHECKING

from crossz import metrics, record
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    metrics.write_metrics(
        *(snakemake.input[name] for name in ("predictions", "splits", "index", "infos")),
        snakemake.output.metrics,
        snakemake.output.table,
    )
    record.write_record(
        snakemake.output.record,
        snakemake.params.config,
        snakemake.params.code,
        snakemake.input.counts,
        snakemake.input.infos,
    )
