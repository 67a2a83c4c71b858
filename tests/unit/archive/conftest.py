"""Fixtures of the archive's tests."""

import re

import pytest
from fetching import SQL, rows
from local_archive import serve

from crossz.archive import embedded
from crossz.core.constants import BANDS
from crossz.sdss.frames import FieldID


@pytest.fixture
def server(small_sky):
    """An honest archive of the small sky."""
    with serve(small_sky / "sky.sqlite", [small_sky / "sas", small_sky / "spectra"]) as running:
        yield running


@pytest.fixture(scope="session")
def honest(small_sky, tmp_path_factory):
    """The rows of the embedded service, which need no network."""
    folder = tmp_path_factory.mktemp("honest")
    outputs = {"raw": folder / "raw.parquet", "receipt": folder / "receipt.json"}
    embedded.write_query(sql=SQL, database=small_sky / "sky.sqlite", **outputs)
    return rows(folder)


@pytest.fixture(scope="session")
def fields(small_sky):
    """Fields of the sky that have all five bands, in order."""
    names = [re.split(r"[-.]", path.name) for path in (small_sky / "sas").rglob("frame-*.bz2")]
    frames = [FieldID(301, int(run), int(camcol), int(field)) for _, _, run, camcol, field, *_ in names]
    return sorted(field for field in set(frames) if frames.count(field) == len(BANDS))
