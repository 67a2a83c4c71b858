"""Objects of the embedded sky by position or objID."""

from collections.abc import Sequence
from pathlib import Path

from crossz.archive.embedded import query
from crossz.catalog import targets as matching
from crossz.catalog.targets import COLUMNS, Finder, finder_of


def finder(database: str | Path) -> Finder:
    """What finds objects of the embedded sky at `database`."""
    objects = query(f"SELECT mode, {', '.join(COLUMNS)} FROM PhotoObjAll", database, "PhotoObjAll")
    return finder_of(objects.to_pandas())


def write_matched(
    *,
    table: str | Path,
    database: str | Path,
    targets: str | Path,
    catalog: str | Path,
    columns: dict[str, str],
    extra_columns: Sequence[str] = (),
    radius_arcsec: float,
) -> None:
    """Match a user's table with the embedded sky at `database`: catalog.targets.write_matched."""
    matching.write_matched(
        table=table,
        targets=targets,
        catalog=catalog,
        columns=columns,
        extra_columns=extra_columns,
        radius_arcsec=radius_arcsec,
        finder=finder(database),
    )
