"""The cross-modal network on one split."""

from typing import TYPE_CHECKING

from crossz.core.job import logged, sigterm_noted
from crossz.models import training

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

if __name__ == "__main__":  # each process of a training imports this file
    with logged(snakemake.log[0]), sigterm_noted() as stop:
        training.train(
            *(snakemake.input[name] for name in ("catalog", "split", "index")),
            snakemake.input.shards,
            *snakemake.output,
            snakemake.params.resume,
            **{name: snakemake.params[name] for name in ("crossmodal", "training", "classes", "seed", "code")},
            **snakemake.params.photometry,
            threads=snakemake.threads,
            together=max(1, snakemake.resources.gpu),
            stop=stop,
        )
