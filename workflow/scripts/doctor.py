"""Small requests that tell what of the archive works from here."""

from typing import TYPE_CHECKING

from crossz.archive import doctor
from crossz.core.config import crossmatch_radii
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

config = snakemake.config
with job(snakemake) as arguments:
    backend, surveys = config["catalog"]["backend"], list(crossmatch_radii(config))
    doctor.examine(**arguments, backend=backend, archive=config["archive"], surveys=surveys)
