"""Fixtures of several test modules."""

import bz2
import logging
import shutil
from pathlib import Path

import filelock
import numpy as np
import pytest
from helpers import SDSS
from hypothesis import HealthCheck, settings

KINDS = ("workflow", "docs", "real")
"""Folders whose tests are marked by their name: `pytest -m "not workflow"`."""
LONGEST = ("test_end_to_end.py", "test_kills.py", "test_acquisition.py", "test_frame_ranges.py", "test_training.py")
"""Files that begin first, so that no worker is left alone with one of them at the end."""


def pytest_configure(config: pytest.Config) -> None:
    # No test may fail because the machine is busy: hypothesis would allow 200 ms an example.
    settings.register_profile("crossz", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("crossz")
    for kind in KINDS:
        config.addinivalue_line("markers", f"{kind}: in tests/{kind}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in KINDS:
            item.add_marker(folder)
    items.sort(key=lambda item: (item.path.name not in LONGEST, item.path.parent.name not in KINDS))


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


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory, worker_id) -> Path:
    """A copy of the project in which the main job has run once, of all test processes. It is read only: see `run`."""
    from project import FIGURES, METRICS, copied, snakemake

    root = tmp_path_factory.getbasetemp()
    where = (root if worker_id == "master" else root.parent) / "shared_run"
    with filelock.FileLock(f"{where}.lock"):
        if not where.exists():
            where.with_name("unfinished_run").mkdir()
            unfinished = copied(where.with_name("unfinished_run"))
            snakemake(unfinished, *METRICS, *FIGURES)
            unfinished.rename(where)
    return where


@pytest.fixture(scope="module")
def run(shared_run, tmp_path_factory) -> Path:
    """A copy of the project in which the main job has run once: this module's own."""
    return Path(shutil.copytree(shared_run, tmp_path_factory.mktemp("run") / "run"))


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


@pytest.fixture(scope="session")
def real_size() -> tuple[bytes, np.ndarray]:
    """A frame of real size: the bytes of its file, and its pixels."""
    import toy_frames

    from crossz.sdss.frames import decode

    body = bz2.compress(toy_frames.frame_bytes(), 9)
    return body, decode(body, toy_frames.FIELD, "r").data
