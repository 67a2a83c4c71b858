"""What surrounds every job: a log, errors that a user can read, arguments by name."""

import errno
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import ROOT

from crossz.core import checksums, job
from crossz.core.errors import CrosszError

log = logging.getLogger("crossz.tests")


@pytest.mark.parametrize("folder", ["logs", ".snakemake/storage/s3/bucket/catalogs/logs"])
def test_messages_go_to_the_terminal_and_to_the_log(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path(folder, "train/0.log")
    path.parent.mkdir(parents=True)
    with job.logged(path):
        log.info("two\nlines, 100 %")
        log.debug("unseen")
    log.info("after the job")
    assert path.read_text() == "two\nlines, 100 %\n"
    assert capsys.readouterr().err == "[train 0] two\n[train 0] lines, 100 %\n"


@pytest.mark.parametrize(
    ("setting", "logged", "shown"),
    [("quiet", ["info", "warning"], ["warning"]), ("", ["info", "warning"], ["info", "warning"]),
     ("verbose", ["debug", "info", "warning"], ["debug", "info", "warning"])],
)  # fmt: skip
def test_the_environment_sets_what_the_terminal_shows(setting, logged, shown, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CROSSZ_LOG", setting)
    with job.logged(tmp_path / "log"):
        for level in ("debug", "info", "warning"):
            getattr(log, level)(level)
    assert (tmp_path / "log").read_text().split() == logged
    assert re.findall(r"\] (.+)", capsys.readouterr().err) == shown


def test_the_logger_is_as_it_was_behind_a_job(tmp_path):
    logger = logging.getLogger("crossz")
    before = (logger.level, logger.propagate, list(logger.handlers))
    with pytest.raises(SystemExit), job.logged(tmp_path / "log"):
        raise KeyError
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (CrosszError("catalog.csv: no rows"), "catalog.csv: no rows"),
        (OSError(errno.ENOSPC, "No space left on device", "a.arrow"), "no space is left; free some and rerun"),
        (PermissionError(errno.EACCES, "Permission denied", "b"), "check the permissions"),
    ],
)
def test_an_error_that_the_user_can_mend_ends_a_job_with_its_message_alone(error, message, tmp_path):
    def work():
        with job.logged(tmp_path / "log"):
            log.info("working")
            raise error

    with pytest.raises(SystemExit) as caught:
        work()
    text = str(caught.value.code)
    assert text.startswith("crossz: ")
    assert message in text
    assert (tmp_path / "log").read_text() == f"working\nerror: {text.removeprefix('crossz: ')}\n"


@pytest.mark.parametrize("error", [KeyError("oops"), OSError("oops, no Parquet file")])
def test_any_other_error_ends_a_job_with_one_line_and_keeps_its_traceback_in_the_log(error, tmp_path):
    with pytest.raises(SystemExit) as caught, job.logged(tmp_path / "log"):
        raise error
    text = str(caught.value.code)
    assert text.startswith(f"crossz: {type(error).__name__}: ")
    assert text.endswith(f"; report it with {tmp_path / 'log'}, which has the traceback")
    assert "oops" in text
    assert "\n" not in text
    assert (tmp_path / "log").read_text().startswith("Traceback")


def test_a_verbose_job_shows_the_traceback_of_any_other_error(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSZ_LOG", "verbose")
    with pytest.raises(KeyError), job.logged(tmp_path / "log"):
        raise KeyError("oops")
    with pytest.raises(SystemExit, match="what is wrong"), job.logged(tmp_path / "log"):
        raise CrosszError("what is wrong")


def test_an_interrupt_ends_a_job_with_one_line(tmp_path):
    with (
        pytest.raises(SystemExit, match=r"crossz: interrupted; .* a rerun goes on from there"),
        job.logged(tmp_path / "log"),
    ):
        raise KeyboardInterrupt
    assert (tmp_path / "log").read_text().startswith("error: interrupted; ")


CHILDREN = """
import multiprocessing, os, sys, time
from crossz.core.files import atomic_path
from crossz.core.job import logged

with logged("log"), atomic_path("half.csv") as half:
    half.touch()
    child = multiprocessing.get_context("spawn").Process(target=time.sleep, args=[600])
    child.start()
    print("running", flush=True)
    time.sleep(600)
"""


def test_sigterm_ends_a_job_with_one_line_and_its_children(tmp_path):
    command, environment = [sys.executable, "-c", CHILDREN], os.environ | {"PYTHONPATH": str(ROOT / "src")}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=60)  # the child has the pipes too: it has ended as well
    assert process.returncode == -signal.SIGTERM
    assert told == "crossz: interrupted; what is finished is kept, and a rerun goes on from there\n"
    assert (tmp_path / "log").read_text() == told.replace("crossz", "error")
    assert not (tmp_path / "half.csv").exists()


class Named(list):
    """As the engine's lists are: iteration gives values, keys() the names."""

    def __init__(self, **items):
        super().__init__(items.values())
        self.keys, self._items = items.keys, items

    def __getitem__(self, name):
        return self._items[name]


def rule(tmp_path, **params):
    files = {"input": Named(catalog="c.parquet"), "output": Named(table="t.parquet")}
    return SimpleNamespace(**files, params=Named(**params), log=[tmp_path / "log"])


def test_a_job_has_its_arguments_by_name_without_the_digest(tmp_path):
    with job.job(rule(tmp_path, code="123", seed=7)) as arguments:
        assert arguments == {"catalog": "c.parquet", "table": "t.parquet", "seed": 7}


def test_a_job_compares_its_inputs_and_notes_its_outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    first = SimpleNamespace(input=Named(), output=Named(a="results/a"), params=Named(), log=["log"])
    with job.job(first) as arguments:
        Path(arguments["a"]).write_text("1")
    second = SimpleNamespace(input=Named(a="results/a"), output=Named(b="results/b"), params=Named(), log=["log"])
    with job.job(second) as arguments:
        Path(arguments["b"]).write_text("2")
    Path("results/a").write_text("3")
    with (
        pytest.raises(SystemExit, match="results/a: damaged since its job wrote it; delete results/a"),
        job.job(second),
    ):
        pytest.fail("the job began")
    Path("results/b").write_text("3")
    with pytest.raises(SystemExit), job.job(first):  # whose output is unknown from here on
        raise KeyError
    with job.job(second):
        pass
    assert Path("log").read_text() == "results/a: used without a checksum; did a job make it?\n"


def test_inputs_that_may_have_been_changed_are_named_where_the_work_fails(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("results").mkdir()
    paths = {name: f"results/{name}" for name in "abcdefghij"}
    for path in paths.values():
        Path(path).write_text("no table")
    checksums.note(paths.values())
    files = {"input": Named(mine="mine.csv", **paths), "output": Named(out="results/out")}
    rule = SimpleNamespace(**files, params=Named(), log=["log"])
    end = "was changed by hand, delete it and rerun; else report it with log, which has the traceback"
    words = rf"^crossz: KeyError: 'column'; if one of {', '.join([*paths.values()][:8])} and 2 more {end}$"
    with pytest.raises(SystemExit, match=words), job.job(rule):
        raise KeyError("column")
    checksums.forget(["results/d"])
    with pytest.raises(SystemExit, match=f"^crossz: KeyError: 'column'; if results/d {end}$"), job.job(rule):
        raise KeyError("column")
    with pytest.raises(SystemExit, match=r"^crossz: what is wrong$"), job.job(rule):
        raise CrosszError("what is wrong")


def test_a_full_disk_that_names_no_file_is_that_of_the_outputs(tmp_path):
    with pytest.raises(SystemExit, match=r"'t\.parquet': no space is left; free some"), job.job(rule(tmp_path)):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(SystemExit, match=r"Broken pipe$"), job.job(rule(tmp_path)):
        raise OSError(errno.EPIPE, "Broken pipe")


def test_two_values_of_one_name_are_an_error(tmp_path):
    with pytest.raises(SystemExit, match="two values of the name table"), job.job(rule(tmp_path, table=1)):
        pass


def test_sigterm_is_noted_and_as_it_was_behind_the_job():
    before = signal.getsignal(signal.SIGTERM)
    with job.sigterm_noted() as stop:
        assert not stop()
        signal.raise_signal(signal.SIGTERM)
        assert stop()
    assert signal.getsignal(signal.SIGTERM) == before


def test_adapters_stay_adapters():
    for script in (ROOT / "workflow/scripts").glob("*.py"):
        assert len(script.read_text().splitlines()) <= 25, script.name
