"""Rule predict_page: the HTML page about new objects."""

from typing import TYPE_CHECKING

from crossz.apply import html_page
from crossz.core.job import job

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with job(snakemake) as arguments:
    html_page.write_html_page(**arguments)
