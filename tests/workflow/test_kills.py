"""`kill -9` of the whole main job at twelve instants: the last run ends with the bytes of a run that nothing disturbed."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time

from project import FIGURES, METRICS, command, copied, environment, snakemake


def files(where):
    """Bytes of every file of results, by name."""
    results = where / "results"
    made = [path for path in results.rglob("*") if path.is_file() and path.name != ".snakemake_timestamp"]
    names = {str(path.relative_to(results)): path for path in made}
    times = {name for name in names if ".frames.jsonl" in name}  # they tell when each frame was read
    return {name: path.read_bytes() for name, path in names.items() if name not in times}


def begun(where, since):
    """Jobs that have written into their log."""
    found = set()
    for path in (where / "logs").rglob("*.log"):
        with contextlib.suppress(FileNotFoundError):  # the engine deletes the log of a job that it begins
            if path.stat().st_mtime_ns > since:
                found.add(path.stem)
    return found


def test_twelve_kills_of_the_main_job_change_no_byte(shared_run, tmp_path):
    dice, where, killed = random.Random(12), copied(tmp_path), []
    while len(killed) < 12:
        start = time.time_ns()
        process = subprocess.Popen(
            command(where, "--nolock", *METRICS, *FIGURES),
            cwd=where, env=environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        more = dice.randrange(1, 5)  # jobs, counted because seconds mean little on a busy machine
        while process.poll() is None and len(begun(where, start)) < more:
            time.sleep(0.01)
        time.sleep(dice.choice([0, 0.1, 0.5, 1.5]))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed.append(begun(where, start))
        elif process.wait() == 0:  # it came through; once more from nothing
            assert not different(where, shared_run), killed
            for name in ("results", ".snakemake"):
                shutil.rmtree(where / name)
        process.wait()
    snakemake(where, "--unlock")
    snakemake(where, *METRICS, *FIGURES)
    assert not different(where, shared_run), killed


def different(where, other):
    """Names of files that only one of two runs has, or that differ."""
    found, wanted = files(where), files(other)
    return {name for name in found | wanted if found.get(name) != wanted.get(name)}
