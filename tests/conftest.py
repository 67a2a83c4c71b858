"""Fixtures of several test modules."""

import logging
from pathlib import Path

import pytest
from helpers import SDSS


@pytest.fixture(scope="session")
def sdss() -> Path:
    if not SDSS.is_dir():
        pytest.skip("no real SDSS files beside the project")
    return SDSS


@pytest.fixture(scope="session")
def small_sky(tmp_path_factory) -> Path:
    """An embedded sky of a hundred quasars, with spectra: sky.sqlite, sas/, spectra/, truth.parquet."""
    from crossz.sky.build import build
    from crossz.sky.spectroscopy import write_spectra

    folder = tmp_path_factory.mktemp("sky")
    build(
        database=folder / "sky.sqlite", sas=folder / "sas", truth=folder / "truth.parquet",
        seed=2023, quasars=100, frame=(256, 384), quasars_per_field=10, workers=1,
    )  # fmt: skip
    write_spectra(truth=folder / "truth.parquet", sas=folder / "spectra", seed=2023)
    return folder


@pytest.fixture
def login(monkeypatch):
    """The login of a local archive."""
    monkeypatch.setenv("SCISERVER_USER", "user")
    monkeypatch.setenv("SCISERVER_PASSWORD", "password")


@pytest.fixture
def messages(caplog):
    """What crossz has said so far: `messages.text`."""
    caplog.set_level(logging.INFO, "crossz")
    return caplog
