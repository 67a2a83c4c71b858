"""The acquisition stages as a user runs them, against a local archive: killed, without room, without rights, with a secret."""

import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from local_archive import serve
from project import command, copied, environment, snakemake

from crossz.sky.build import build

CANARY = "canary-7f3a91-password"
LOGIN = {"SCISERVER_USER": "user", "SCISERVER_PASSWORD": CANARY}
TARGET = "results/gate.json"
PRODUCTS = ("catalog/*.parquet", "catalog/raw/*.parquet", "plan/*", "stamps/*.arrow", "cutouts/*.arrow", "images.parquet",
            "missing.csv", "gate.json")  # fmt: skip


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    build(
        database=folder / "sky.sqlite", sas=folder / "sas", truth=folder / "truth.parquet",
        seed=2023, quasars=100, frame=(256, 384), quasars_per_field=10, workers=2,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def server(survey):
    with serve(survey / "sky.sqlite", [survey / "sas"], token_password=CANARY, job_seconds=0.3) as running:
        yield running


def blocks(server):
    """The configuration of a run against `server`."""
    return {
        "survey": "sdss",
        "catalog": {"backend": "casjobs"},
        "archive": {
            "casjobs": f"{server.url}/CasJobs/RestApi",
            "login": f"{server.url}/login-portal/keystone/v3/tokens",
            "skyserver": f"{server.url}/dr17",
            "sas": [f"{server.url}/sas"],
            "connections": 4, "pause_s": 0.1, "query_interval_s": 0.05, "poll_s": 0.1,
        },
    }  # fmt: skip


def products(where):
    """Bytes of everything that the acquisition stages make, by name."""
    results = where / "results"
    return {str(path.relative_to(results)): path.read_bytes() for name in PRODUCTS for path in results.glob(name)}


def command_lines():
    """What any process of this machine shows of its arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:  # it has ended
            continue
    return b"\n".join(found)


@pytest.fixture(scope="module")
def clean(server, tmp_path_factory):
    """A run that nothing disturbs; its products, its folder, and the command lines seen meanwhile."""
    where = copied(tmp_path_factory.mktemp("clean"))
    seen, stop = set(), threading.Event()

    def watch():
        while not stop.wait(0.05):
            seen.add(CANARY.encode() in command_lines())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = snakemake(where, TARGET, login=LOGIN, **blocks(server))
    finally:
        stop.set()
        watcher.join()
    return products(where), where, seen, done


def test_the_run_fetches_each_frame_once_and_keeps_none(clean, server):
    found, where, _, _ = clean
    assert {name.split("/")[0] for name in found} >= {"catalog", "plan", "stamps", "cutouts", "images.parquet"}
    frames = [hit.path for hit in server.hits if hit.path.startswith("/sas/") and hit.status == 200]
    assert len(frames) > 40
    assert sum(frames.count(path) > 1 for path in set(frames)) <= 10  # a neighbour field at the border of two shards
    assert not list((where / "results/frames").rglob("*.bz2"))


def test_the_password_is_nowhere(clean, server):
    _, where, on_command_lines, done = clean
    assert on_command_lines == {False}
    assert CANARY not in done.stdout + done.stderr
    for path in where.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
    assert not any(CANARY in hit.path or CANARY in (hit.sql or "") for hit in server.hits)


def test_a_wrong_password_is_refused_without_being_told(server, tmp_path):
    wrong = "another-canary-55"
    where = copied(tmp_path)
    login = {"SCISERVER_USER": "user", "SCISERVER_PASSWORD": wrong}
    done = snakemake(where, TARGET, check=False, login=login, **blocks(server))
    assert done.returncode != 0
    assert "SciServer refuses user user or its password" in done.stderr
    assert wrong not in done.stdout + done.stderr
    assert not [path for path in where.rglob("*") if path.is_file() and wrong.encode() in path.read_bytes()]


def test_eight_kills_lose_nothing_and_fetch_no_whole_file_twice(clean, server, tmp_path):
    dice = random.Random(17)
    where = copied(tmp_path)
    wanted = [hit.path for hit in server.hits if hit.path.startswith("/sas/")]  # twice at the border of two shards
    start, kills, seen = len(server.hits), 0, 0
    kept: dict[str, int] = {}  # frames that were on disk at a kill -> how often they had been asked for by then

    def asked(path):
        return sum(hit.path == path for hit in server.hits[start:])

    def ends_well():
        assert products(where) == clean[0]
        assert not list((where / "results").rglob("*.part*"))
        assert not {url: asked(url) - before for url, before in kept.items() if asked(url) > before}

    while kills < 8:
        begun = len(server.hits)
        process = subprocess.Popen(
            command(where, TARGET, "--nolock", **blocks(server)),
            cwd=where, env=environment(**LOGIN), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        more = dice.randrange(5, 40)  # requests, counted because seconds mean little on a busy machine
        while process.poll() is None and len(server.hits) < begun + more:
            time.sleep(0.01)
        time.sleep(dice.choice([0, 0, 0.1, 0.5, 1.5]))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        time.sleep(0.05)
        if (where / TARGET).exists():  # it came through; once more from nothing
            ends_well()
            seen += len(kept)
            kept.clear()
            start = len(server.hits)
            for name in ("results", ".snakemake"):
                shutil.rmtree(where / name)
            continue
        there = [
            "/sas/" + path.relative_to(folder).as_posix()
            for folder in (where / "results/frames").glob("[0-9]*")
            for path in folder.rglob("frame-*.bz2")
        ]
        for url in set(there):
            if there.count(url) == wanted.count(url):
                kept.setdefault(url, asked(url))
    snakemake(where, "--unlock", **blocks(server))
    snakemake(where, TARGET, login=LOGIN, **blocks(server))
    ends_well()
    assert seen + len(kept) > 5


@pytest.fixture
def small_disk(tmp_path):
    """A copy of the project whose results lie on a file system of its own, and a function that sets its options."""
    where = copied(tmp_path)
    results = where / "results"
    results.mkdir()

    def mount(*options):
        return subprocess.run(["mount", *options, str(results)], capture_output=True, check=False).returncode == 0

    if shutil.which("mount") is None or not mount("-t", "tmpfs", "-o", "size=64k", "none"):
        pytest.skip("no right to mount a file system")
    yield where, mount
    subprocess.run(["umount", "-l", str(results)], check=True)


STAGES = ["archive_query", "catalog", "plan", "stamps", "cutouts", "images"]


def test_a_full_disk_ends_each_stage_with_one_clear_error_and_a_rerun_goes_on(clean, server, small_disk):
    where, mount = small_disk
    for stage in STAGES:
        used = shutil.disk_usage(where / "results").used
        assert mount("-o", f"remount,size={used + 8192}")
        done = snakemake(where, TARGET, check=False, login=LOGIN, **blocks(server))
        told = done.stdout + done.stderr
        assert done.returncode != 0
        assert set(re.findall(r"\.(\w+)\.py' returned non-zero", told)) == {stage}
        assert "no space is left; free some and rerun" in told, told[-3000:]
        assert re.search(r"No space left on device: '?results/", told), told[-3000:]
        assert not list((where / "results").rglob("*.part*"))
        mount("-o", "remount,size=100m")
        snakemake(where, f"--until={stage}", TARGET, login=LOGIN, **blocks(server))
        shutil.rmtree(where / "results/frames", ignore_errors=True)  # or the next stage would make room by doing so
    snakemake(where, TARGET, login=LOGIN, **blocks(server))
    assert products(where) == clean[0]


def test_a_read_only_folder_is_told_and_a_rerun_goes_on(clean, server, small_disk):
    where, mount = small_disk
    mount("-o", "remount,size=100m,ro")
    done = snakemake(where, TARGET, check=False, login=LOGIN, **blocks(server))
    assert done.returncode != 0
    assert "Read-only file system" in done.stdout + done.stderr
    mount("-o", "remount,rw")
    snakemake(where, TARGET, login=LOGIN, **blocks(server))
    assert products(where) == clean[0]
