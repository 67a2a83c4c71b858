"""The baseline PhotoRedshift-MML on one split."""

from typing import TYPE_CHECKING

from crossz.core.job import job
from crossz.core.paths import parse_predictions
from crossz.models import mml_training

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    paths = {parse_predictions(path).inputs: path for path in arguments.pop("predictions")}
    mml_training.write_mml(**arguments, predictions=paths, threads=snakemake.threads)
