"""Rule train: the networks of one split."""

from typing import TYPE_CHECKING

from crossz.core.job import job, sigterm_noted
from crossz.models import training

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":  # processes of a distributed training import this file again
    with job(snakemake) as arguments, sigterm_noted() as stop:
        training.train(
            **arguments,
            code=snakemake.params.code,
            threads=snakemake.threads,
            processes=max(1, snakemake.resources.gpu),
            stop=stop,
        )
