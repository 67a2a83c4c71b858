"""What surrounds every job: a log, errors that a user can read, arguments by name."""

import errno
import logging
import re
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import ROOT

from crossz.core import job
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
    with pytest.raises(KeyError), job.logged(tmp_path / "log"):
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


def test_any_other_error_keeps_its_traceback(tmp_path):
    with pytest.raises(KeyError), job.logged(tmp_path / "log"):
        raise KeyError("oops")
    assert "Traceback" in (tmp_path / "log").read_text()


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


def test_two_values_of_one_name_are_an_error(tmp_path):
    with pytest.raises(TypeError, match="two values of the name table"), job.job(rule(tmp_path, table=1)):
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
