"""Spectra of the synthetic quasars, as lite spec files."""

from typing import TYPE_CHECKING

from crossz import sky
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    sky.write_spectra(snakemake.input.truth, snakemake.output.sas, seed=snakemake.params.seed)
