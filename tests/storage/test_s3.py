"""The S3 plugin with the local executor: what lies in the bucket after runs that were killed, repeated and changed."""

import os
import signal
import subprocess
import time

from project import command, copied, environment, snakemake
from storage.bucket import PREFIX, SMALLEST, TARGETS, assert_same, contents, files

SKY = "results/sky/truth.parquet"


def options(storage):
    return ["--default-storage-provider=s3", f"--default-storage-prefix={storage.prefix}"]


def killed(where, storage, *targets, when):
    """Begin a run, and end it and all its jobs by SIGKILL as soon as `when` says so."""
    head = subprocess.Popen(
        command(where, *targets, *options(storage), **SMALLEST), cwd=where, env=environment(**storage.login),
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not when():
        assert head.poll() is None
        time.sleep(0.1)
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    snakemake(where, "--unlock", *options(storage), login=storage.login)


def test_a_run_that_is_killed_twice_and_repeated_leaves_one_right_object_of_each_output(local, storage, tmp_path):
    where, bucket = copied(tmp_path), storage.bucket
    frames = f"{PREFIX}results/sky/sas/"
    killed(where, storage, *TARGETS, when=lambda: any(bucket.objects.filter(Prefix=frames).limit(1)))
    wanted = files(local)
    half = [name for name in wanted if name.startswith("results/sky/sas/") and name not in contents(bucket)]
    assert half, "the kill was to come while frames were uploaded"
    killed(where, storage, *TARGETS, when=lambda: any(where.glob(".snakemake/storage/**/logs/train/**/*.log")))
    assert not [name for name in contents(bucket) if name.startswith("results/models")]
    snakemake(where, *TARGETS, *options(storage), login=storage.login, **SMALLEST)
    assert_same(contents(bucket), wanted)
    assert not files(where)
    again = snakemake(where, *TARGETS, *options(storage), login=storage.login, **SMALLEST)
    assert "Nothing to be done" in again.stderr


def test_a_rerun_with_other_settings_leaves_nothing_of_the_sky_before(local, storage, tmp_path):
    where = copied(tmp_path)
    larger = SMALLEST | {"sky": {"quasars": 100, "quasars_per_field": 10}}
    snakemake(where, SKY, *options(storage), login=storage.login, **larger)
    before = contents(storage.bucket)
    snakemake(where, SKY, *options(storage), login=storage.login, **SMALLEST)
    wanted = {name: content for name, content in files(local).items() if name in before or "/sky/sas/" in name}
    assert before.keys() - wanted.keys()
    assert_same(contents(storage.bucket), wanted)
