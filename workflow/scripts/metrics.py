"""Scores, Table 1 and the run record."""

from typing import TYPE_CHECKING

from crossz.core import run_record
from crossz.core.job import job
from crossz.scores import metrics

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    record, config, counts = (arguments.pop(name) for name in ("record", "config", "counts"))
    metrics.write_metrics(**arguments)
    run_record.write_run_record(record, config, snakemake.params.code, counts, arguments["infos"])
