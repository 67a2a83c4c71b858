"""The baseline PhotoRedshift-MML on one split."""

from pathlib import Path
from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.models import mml_training

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    mml_training.write_mml(
        *(snakemake.input[name] for name in ("catalog", "split", "index", "spectra")),
        *(snakemake.output[name] for name in ("model", "info")),
        {Path(path).stem: path for path in snakemake.output.predictions},
        mml=snakemake.params.mml,
        magnitudes=snakemake.params.magnitudes,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
