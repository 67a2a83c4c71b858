"""Five small requests that tell what of the archive works from here."""

from typing import TYPE_CHECKING

from crossz.archive import doctor
from crossz.core.job import logged

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with logged(snakemake.log[0]):
    doctor.examine(snakemake.config["catalog"]["backend"], snakemake.config["archive"], "results")
