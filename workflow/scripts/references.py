"""The photometry-only references on one split."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.core.paths import parse_predictions
from crossz.models import references

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    paths = {parse_predictions(path).model: path for path in arguments.pop("predictions")}
    references.write_references(**arguments, predictions=paths, threads=snakemake.threads)
