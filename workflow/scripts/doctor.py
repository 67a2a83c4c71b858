"""Five small requests that tell what of the archive works from here."""

from typing import TYPE_CHECKING

from crossz.archive import doctor
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    doctor.examine(**arguments, backend=snakemake.config["catalog"]["backend"], archive=snakemake.config["archive"])
