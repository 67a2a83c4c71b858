"""The baseline PhotoRedshift-MML on one split."""

from pathlib import Path
from typing import TYPE_CHECKING

from crossz import mml
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    mml.write_mml(
        *(snakemake.input[name] for name in ("catalog", "split", "index", "spectra")),
        *(snakemake.output[name] for name in ("model", "info")),
        {Path(path).stem: path for path in snakemake.output.predictions},
        mml=snakemake.params.mml,
        magnitudes=snakemake.params.magnitudes,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
