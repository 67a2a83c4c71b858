"""How the main network learned, and whether its PDFs are right."""

from typing import TYPE_CHECKING

from crossz.core.job import logged
from crossz.report import plots

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    for name, paths in snakemake.output.items():
        given = snakemake.input.histories if name == "learning" else snakemake.input.predictions
        getattr(plots, f"write_{name}")(given, paths)
