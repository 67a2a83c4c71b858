"""Spectra of one shard's objects, on disk or fetched -> the common grid."""

from typing import TYPE_CHECKING

from crossz.archive import sas
from crossz.archive.spectra import Spectra
from crossz.core.job import logged
from crossz.images.spectra import write_spectra

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

place = sas.place(snakemake.config, snakemake.input.get("spectra"))
with logged(snakemake.log[0]), Spectra(snakemake.params.cache, place) as found:
    write_spectra(snakemake.input.plan, snakemake.input.catalogs, found, *snakemake.output)
    sas.release(snakemake.params.cache)
