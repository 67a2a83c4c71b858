"""`make networks`: from a table of quasars to a network that is found by its name."""

import hashlib
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import toy
import yaml
from project import ROOT, copied, environment, planned, work

from crossz.apply import networks
from crossz.apply.bundle import load_bundle
from crossz.apply.predict import predict

TINY = {"splits": {"count": 2}, "train": {"epochs": 2, "batch_size": 32}, "references": {"models": ["mean"]}}


def test_the_command_runs_the_workflow_and_records_what_it_packs(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "data/catalog").mkdir(parents=True)
    (tmp_path / "data/catalog/dr5q.csv.gz").touch()
    (tmp_path / "bin").mkdir()
    stub = f"""#!{sys.executable}
import pathlib, sys
options = sys.argv[1:]
target = pathlib.Path(options[options.index("--directory") + 1], options[-1])
target.parent.mkdir(parents=True)
target.write_text(options[options.index("--configfile") + 1])
"""
    (tmp_path / "bin/snakemake").write_text(stub)
    (tmp_path / "bin/python").write_text('#!/bin/sh\necho "$@" > ran')
    for program in (tmp_path / "bin").iterdir():
        program.chmod(0o755)
    command = ["make", "-o", ".venv/ready", "networks", "BIN=bin"]
    options = {"cwd": tmp_path, "env": environment(), "capture_output": True, "text": True}
    assert "make networks SDSS=FOLDER" in subprocess.run(command, check=False, **options).stderr
    subprocess.run([*command, "SDSS=data"], check=True, **options)
    made = {path.name: path.read_bytes() for path in (tmp_path / "src/crossz/networks").glob("*.zip")}
    assert made == {f"{name}.zip": f"config/networks/{name}.yaml".encode() for name in ("sdss-dr5q", "sdss-quasars")}
    assert (tmp_path / "ran").read_text() == "docs/networks.py\n"
    sums = (tmp_path / "src/crossz/networks/SHA256SUMS").read_text()
    assert sums == "".join(f"{hashlib.sha256(made[name]).hexdigest()}  {name}\n" for name in sorted(made))
    assert (tmp_path / "build/networks/sdss-dr5q/../data/catalog/dr5q.csv.gz").is_file()


@pytest.fixture
def packed(tmp_path):
    """The zip file that config/networks/sdss-dr5q.yaml makes of a small catalog, its rules run in this process."""
    where = copied(tmp_path)
    (where / "data/catalog").mkdir(parents=True)
    rows = toy.catalog(200).assign(ra=lambda table: table.index * 0.5, dec=0.0).drop(columns="objID")
    rows.to_csv(where / "data/catalog/dr5q.csv.gz", index=False)
    config = yaml.safe_load((where / "config/networks/sdss-dr5q.yaml").read_text())
    config["catalog"]["files"]["sdss"] = "data/catalog/dr5q.csv.gz"
    (where / "config/mine.yaml").write_text(yaml.safe_dump(config))
    (where / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    waiting = planned(where, ["config/config.yaml", "config/mine.yaml", "tiny.yaml"], "results/bundle/sdss-dr5q.zip")
    while waiting:
        ready = [job for job in waiting if all((where / str(file)).exists() for file in job.input)]
        assert ready
        for job in ready:
            work(where, job)
        waiting = [job for job in waiting if job not in ready]
    return where / "results/bundle/sdss-dr5q.zip"


def test_the_configuration_makes_a_network_that_its_name_finds(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(networks, "FOLDER", packed.parent)
    bundle = load_bundle("sdss-dr5q")
    assert (bundle.facts["dataset"], bundle.facts["network"]) == ("sdss", "dr5q")
    targets = pd.read_csv(tmp_path / "data/catalog/dr5q.csv.gz")
    found = predict(targets, bundle)
    assert (found["inputs"] == "phot").all()
    assert found["z_phot"].between(0.5, 5).all()
    assert packed.stat().st_size < 2 * 0.8e6
