"""Several processes train as one does: the same losses, the same answer to SIGTERM and to kill -9."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
import toy
from helpers import ROOT
from toy import CROSSMODAL, TRAIN

from crossz.core.errors import CrosszError
from crossz.models import distributed, training
from crossz.models.data import augmented

# Every layer but dropout: BatchNorm, both discriminators, a clipped gradient, batches that do not halve (31 and 30).
SETTINGS = {"crossmodal": CROSSMODAL | {"dropout": 0.0}, "training": TRAIN | {"epochs": 10, "gradient_clip": 0.1}}
JOB = """
import json
import sys
from crossz.core.job import logged, sigterm_noted
from crossz.models import progress, training

progress.PROGRESS_SECONDS = training.CHECKPOINT_SECONDS = -1.0
if __name__ == "__main__":
    with logged("log"), sigterm_noted() as stop:
        training.train(**json.loads(sys.argv[1]), processes=2, stop=stop)
"""


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    return toy.write(tmp_path_factory.mktemp("toy"))


def started(folder, survey):
    """A training of two processes in `folder`, which goes on where an earlier one ended."""
    folder.mkdir(exist_ok=True)
    (folder / "job.py").write_text(JOB)
    arguments = toy.in_json(toy.arguments(survey, folder, **SETTINGS))
    return subprocess.Popen(
        [sys.executable, folder / "job.py", arguments], cwd=folder, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip


def lines_until(job, text):
    """What the job says, up to the line with `text`."""
    seen = []
    while not seen or text not in seen[-1]:
        seen.append(job.stderr.readline())
        assert seen[-1], seen
    return "".join(seen)


def trainers(job):
    """Process numbers of the two that train."""
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def gone(pids):
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_two_processes_give_the_losses_of_one_through_every_interruption(survey, tmp_path, messages):
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    training.train(**toy.arguments(survey, one, **SETTINGS))

    job = started(two, survey)
    lines_until(job, "epoch 2/")
    pids = trainers(job)
    assert len(pids) == 2
    job.send_signal(signal.SIGTERM)  # to the job alone, which tells both
    _, told = job.communicate(timeout=120)
    assert job.returncode == 1
    assert told.splitlines()[-1] == f"crossz: asked to stop; the next run goes on from {two / 'checkpoint.pt'}"
    assert gone(pids)
    assert sorted(path.name for path in two.iterdir()) == ["checkpoint.pt", "job.py", "log"]

    job = started(two, survey)
    told = lines_until(job, "epoch ")
    assert told.count("going on after epoch") == 1
    assert "epoch 2/" not in told
    pids = trainers(job)
    os.kill(pids[1], signal.SIGKILL)
    begun = time.monotonic()
    _, told = job.communicate(timeout=120)
    assert time.monotonic() - begun < 30
    assert job.returncode == 1
    assert "crossz: process 2 of 2 was ended by SIGKILL" in told.splitlines()[-1]
    assert "Traceback" not in told
    assert gone(pids)

    training.train(**toy.arguments(survey, two, **SETTINGS))  # one process goes on where two ended
    assert "going on after epoch" in messages.text
    losses = [pd.read_csv(folder / "history.csv") for folder in (one, two)]
    pd.testing.assert_frame_equal(*losses, rtol=1e-3, atol=1e-5)
    weights = [torch.load(folder / "model.pt")[0] for folder in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    for name, value in weights[0].items():
        torch.testing.assert_close(value, weights[1][name], rtol=1e-2, atol=1e-3, msg=name)


def test_batches_of_fewer_objects_than_processes_give_the_losses_of_one_process(tmp_path):
    survey = toy.write(tmp_path / "toy", n=24, without_image=0)
    settings = SETTINGS | {"training": TRAIN | {"epochs": 2, "batch_size": 2}}
    histories = []
    for processes in (1, 3):
        folder = tmp_path / str(processes)
        folder.mkdir()
        training.train(**toy.arguments(survey, folder, **settings), processes=processes)
        histories.append(pd.read_csv(folder / "history.csv"))
    assert not histories[1].isna().any(axis=None)
    pd.testing.assert_frame_equal(*histories, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("size", [1, 30, 31, 64])
def test_shares_of_a_batch_are_turned_as_the_whole_batch_is(monkeypatch, size):
    image, whole, parts = torch.randn(size, 5, 4, 4), torch.Generator(), []
    expected = augmented(image, generator=whole.manual_seed(3))
    monkeypatch.setattr(distributed, "count", lambda: 3)
    for number in range(3):
        monkeypatch.setattr(distributed, "number", lambda number=number: number)
        mine = distributed.share(size)
        generator = torch.Generator().manual_seed(3)
        parts.append(augmented(image[mine], mine.start, size, generator))
        assert torch.equal(generator.get_state(), whole.get_state())
    assert torch.equal(torch.cat(parts), expected)


def test_fewer_gpus_than_processes_are_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(CrosszError, match=r"2 GPUs are wanted for a training, 1 are here.*resource gpu"):
        distributed._join(0, 2, 0)
