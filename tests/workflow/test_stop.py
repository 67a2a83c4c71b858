"""SIGTERM, which a cluster sends before a job's time is over: a training ends its epoch, and the next run goes on to the same bytes.

A transfer ends at once.
"""

import os
import signal
import subprocess
import sys
import time

import toy
from helpers import ROOT
from local_archive import serve
from local_archive.faults import Fault
from toy import TRAIN

from crossz.core.job import sigterm_noted

JOB = """
import json
import sys
from crossz.core.job import logged, sigterm_noted
from crossz.models import progress, training

arguments = json.loads(sys.argv[1])
progress.PROGRESS_SECONDS = -1.0
with logged(sys.argv[2]), sigterm_noted() as stop:
    training.train(**arguments, stop=stop)
"""
EPOCHS = 6
OUTPUTS = ["history.csv", "model.json", "model.pt"]


def started(folder, survey):
    """The process of a training in `folder`."""
    folder.mkdir(exist_ok=True)
    arguments = toy.in_json(toy.arguments(survey, folder, training=TRAIN | {"epochs": EPOCHS}))
    command = [sys.executable, "-c", JOB, arguments, folder / "log"]
    return subprocess.Popen(command, cwd=ROOT / "src", stderr=subprocess.PIPE, text=True)


def test_a_training_told_to_end_goes_on_in_the_next_run_to_the_same_bytes(tmp_path):
    survey = toy.write(tmp_path / "toy")
    whole = started(tmp_path / "whole", survey)
    whole.communicate(timeout=120)
    assert whole.returncode == 0

    job = started(tmp_path / "stopped", survey)
    while "epoch 2/" not in job.stderr.readline():
        assert job.poll() is None
    job.send_signal(signal.SIGTERM)
    _, told = job.communicate(timeout=60)
    assert job.returncode == 1
    assert "Traceback" not in told
    assert "crossz: asked to stop; the next run goes on from " in told.splitlines()[-1]
    assert sorted(path.name for path in (tmp_path / "stopped").iterdir()) == ["checkpoint.pt", "log"]

    again = started(tmp_path / "stopped", survey)
    _, told = again.communicate(timeout=120)
    assert again.returncode == 0
    assert "going on after epoch" in told
    assert f"epoch 2/{EPOCHS}" not in told
    for name in OUTPUTS:
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_sigterm_is_as_it_was_behind_the_job():
    before = signal.getsignal(signal.SIGTERM)
    with sigterm_noted() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
    assert signal.getsignal(signal.SIGTERM) == before


QUERY = """
import sys
from pathlib import Path
from types import SimpleNamespace
from crossz.core.job import logged
from fetching import fetch

with logged("log"):
    fetch(SimpleNamespace(url=sys.argv[1]), Path("query"), "skyserver", query_s=600, deadline_s=600)
"""


def test_a_fetch_ends_at_once_with_one_line_and_no_file(small_sky, tmp_path):
    with serve(small_sky / "sky.sqlite", [], faults=[Fault("SkyServer|SqlSearch|x_results|dr17", "stall")]) as server:
        job = subprocess.Popen(
            [sys.executable, "-c", QUERY, server.url], cwd=tmp_path, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"},
        )  # fmt: skip
        while not server.hits:
            assert job.poll() is None
            time.sleep(0.01)
        job.send_signal(signal.SIGTERM)
        _, told = job.communicate(timeout=60)
    assert job.returncode == -signal.SIGTERM
    assert told.splitlines()[-1] == "crossz: interrupted; what is finished is kept, and a rerun goes on from there"
    assert "Traceback" not in told
    assert not list((tmp_path / "query").rglob("*.parquet"))
