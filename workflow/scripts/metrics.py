"""Scores, Table 1 and the record of the run."""

from typing import TYPE_CHECKING

from crossz.core import run_record
from crossz.core.job import logged
from crossz.scores import metrics

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    metrics.write_metrics(
        *(snakemake.input[name] for name in ("predictions", "splits", "index", "infos")),
        snakemake.output.metrics,
        snakemake.output.table,
    )
    run_record.write_run_record(
        snakemake.output.record,
        snakemake.params.config,
        snakemake.params.code,
        snakemake.input.counts,
        snakemake.input.infos,
    )
