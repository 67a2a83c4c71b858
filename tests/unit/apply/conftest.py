"""A small survey, networks that were trained on it, and their bundle."""

import json
import shutil
from pathlib import Path

import bundles
import pandas as pd
import pytest
import toy
from bundles import exported, trained

from crossz.apply.bundle_folder import FACTS


@pytest.fixture(scope="session")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"), 120)


@pytest.fixture(scope="session")
def networks(survey, tmp_path_factory):
    """[model.pt], [model.json] of two splits."""
    return trained(survey, tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def made(survey, networks, tmp_path_factory):
    """A bundle that no test may change."""
    return exported(survey, networks, tmp_path_factory.mktemp("made") / "toy-crossmodal")


@pytest.fixture
def copy(made, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / "elsewhere" / "renamed"))


@pytest.fixture
def targets(survey):
    """The survey's objects as targets: without redshifts."""
    return pd.read_parquet(survey.catalog).drop(columns="z")


@pytest.fixture
def forge():
    """Gives a folder checksums of the files that it holds now."""
    return bundles.forge


@pytest.fixture
def change_facts(forge):
    """Changes a bundle's bundle.json, and its checksums."""

    def changed(folder, change):
        facts = json.loads((folder / FACTS).read_text())
        change(facts)
        (folder / FACTS).write_text(json.dumps(facts))
        forge(folder)

    return changed
