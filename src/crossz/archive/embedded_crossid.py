"""Objects of the embedded sky by position or objID."""

from pathlib import Path

from crossz.archive.embedded import query
from crossz.catalog.targets import COLUMNS, Finder, finder_of


def finder(database: str | Path) -> Finder:
    """What finds objects of the embedded sky at `database`."""
    objects = query(f"SELECT mode, {', '.join(COLUMNS)} FROM PhotoObjAll", database, "PhotoObjAll")
    return finder_of(objects.to_pandas())
