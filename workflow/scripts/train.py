"""The cross-modal network on one split."""

from typing import TYPE_CHECKING

from crossz import training
from crossz.stage import sigterm_noted, stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]), sigterm_noted() as stop:
    training.train(
        *(snakemake.input[name] for name in ("catalog", "split", "index")),
        snakemake.input.shards,
        *snakemake.output,
        snakemake.params.resume,
        crossmodal=snakemake.params.crossmodal,
        training=snakemake.params.training,
        **snakemake.params.photometry,
        classes=snakemake.params.classes,
        seed=snakemake.params.seed,
        code=snakemake.params.code,
        threads=snakemake.threads,
        stop=stop,
    )
