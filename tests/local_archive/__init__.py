"""A local archive: SkyServer, CasJobs, the login and the file server over loopback, out of a folder; it lies on request.

    python -m tests.local_archive results/sky --port 8917 --faults faults.json

in the folder of the project serves `sky.sqlite` (SpecObjAll, PhotoObjAll), `sas/` and, if there are such, `spectra/` and
`truth.parquet` (what other surveys have seen of this sky) of results/sky. It prints one line for each request. faults.json holds a list of objects with the fields of `Fault`. The
login's user and password come from the environment: CROSSZ_SERVE_USER and CROSSZ_SERVE_PASSWORD (default: user,
password). Tests use `serve`.

Below the server's address lie

    /dr17/SkyServerWS/SearchTools/SqlSearch    SQL for everyone, GET or POST; /dr17/en/tools/search/x_results.aspx too
    /login-portal/keystone/v3/tokens           user and password -> token
    /CasJobs/RestApi                           jobs, quick queries and MyDB, for those who have a token
    /sas                                       files
    /xmatch/api/v1/sync                        CDS XMatch: sources of VizieR around uploaded positions

x_results.aspx answers a cross-identification as well: the nearest primary object of each uploaded position. SQL is T-SQL
translated for SQLite. Two parts are missing: functions of the database (dbo.f...), and comparisons that ignore trailing
blanks. specObjID is text, so it is compared as text.

The archive shares no code with the client (crossz.archive): a mistake in one must not hide a mistake in the other.
"""

from .faults import FAULTS, Fault
from .server import Hit, Server, serve
from .xmatch import vizier_of

__all__ = ["FAULTS", "Fault", "Hit", "Server", "serve", "vizier_of"]
