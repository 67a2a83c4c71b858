"""How the main network learned, and whether its PDFs are right."""

from typing import TYPE_CHECKING

from crossz import plots
from crossz.stage import stage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with stage(snakemake.log[0]):
    for name, paths in snakemake.output.items():
        given = snakemake.input.histories if name == "learning" else snakemake.input.predictions
        getattr(plots, f"write_{name}")(given, paths)
