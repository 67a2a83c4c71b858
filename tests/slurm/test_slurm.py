"""The profile for Slurm, on a Slurm of one node that this machine becomes: `make test-slurm`, as root."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from project import SMALL, command, copied, environment, snakemake

HERE = Path(__file__).parent
NEEDED = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")
SLURM = [
    "--workflow-profile=profiles/slurm",
    "--slurm-init-seconds-before-status-checks=2",
    "--seconds-between-status-checks=2",
    "--latency-wait=5",
]
TABLE = "results/metrics.csv"
ONE = {"datasets": ["baseline"], "mml": {"datasets": []}}

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, NEEDED)), reason=f"needs root and {', '.join(NEEDED)}"
)


@pytest.fixture(scope="module", autouse=True)
def slurm(tmp_path_factory):
    state = tmp_path_factory.mktemp("slurm")
    subprocess.run([HERE / "up.sh", state], check=True)
    yield
    subprocess.run([HERE / "down.sh", state], check=True)


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The results of a run without Slurm."""
    where = copied(tmp_path_factory.mktemp("local"))
    snakemake(where, TABLE, **ONE)
    return where / "results"


def same(where, local):
    models = sorted(path.relative_to(local) for path in local.glob("models/*/*/*/model.pt"))
    for name in ["metrics.csv", "table1.md", "images.parquet", "cutouts/0000.arrow", *models]:
        assert (where / "results" / name).read_bytes() == (local / name).read_bytes(), name
    assert not list((where / "results").rglob("*.part*"))


def queue(name=""):
    """Number, rule and wildcards of each job that Slurm runs."""
    lines = subprocess.run(
        ["squeue", "-h", "-t", "R", "-o", "%i %k"], capture_output=True, text=True, check=True
    ).stdout
    return [line for line in lines.splitlines() if name in line]


def test_the_pipeline_through_slurm_gives_the_same_bytes(local, tmp_path):
    done = snakemake(copied(tmp_path), TABLE, *SLURM, **ONE)
    assert "SLURM jobid" in done.stdout + done.stderr
    same(tmp_path, local)


def test_a_killed_head_is_replaced_while_its_jobs_go_on(local, tmp_path):
    where = copied(tmp_path)
    head = subprocess.Popen(
        command(where, TABLE, *SLURM, **ONE), cwd=where, env=environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not queue("rule_train"):
        assert head.poll() is None
        time.sleep(0.2)
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    orphans = queue()
    assert orphans
    snakemake(where, "--unlock", *SLURM)
    snakemake(where, TABLE, *SLURM, **ONE)
    while set(orphans) & set(queue()):
        time.sleep(0.5)
    same(where, local)
    assert "Nothing to be done" in snakemake(where, TABLE, **ONE).stderr


def test_a_job_that_is_killed_for_memory_gets_more(tmp_path):
    where = copied(tmp_path)
    shutil.copy(HERE / "hungry.smk", where / "Snakefile")
    snakemake(where, "mem_mb.txt", *SLURM)
    assert int((where / "mem_mb.txt").read_text()) >= 3000


def test_a_training_at_its_time_limit_goes_on_in_the_next_attempt(local, tmp_path):
    where = copied(tmp_path)
    shutil.copytree(local, where / "results")
    shutil.rmtree(where / "results/models")
    profile = where / "profiles/slurm/profile.yaml"
    told = profile.read_text()
    # Limits count in minutes, and SIGTERM may come a minute early: after half a minute or at once.
    profile.write_text(
        told.replace("runtime: 480, slurm_extra", "runtime: 2, slurm_extra").replace("TERM@300", "TERM@60")
    )
    assert re.search(r"^  train: .*runtime: 2, slurm_extra: .*TERM@60", profile.read_text(), re.MULTILINE)
    longer = SMALL["train"] | {"epochs": 5000, "patience": 5000}
    head = subprocess.Popen(
        command(where, "results/models/baseline/crossmodal/0/model.json", "--allowed-rules=train", *SLURM, **ONE | {"train": longer}),
        cwd=where, env=environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    log, deadline = where / "logs/train/baseline/crossmodal/0.log", time.monotonic() + 300
    seen = ""
    while "going on after epoch" not in seen:
        assert head.poll() is None, seen
        assert time.monotonic() < deadline, seen
        time.sleep(0.5)
        seen = log.read_text() if log.exists() else ""
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    subprocess.run(["scancel", "--user=root"], check=True)
    assert not (where / "results/models/baseline/crossmodal/0/model.json").exists()
