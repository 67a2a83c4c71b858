"""What the terminal leaves out of a run: noise, and never an error."""

import logging
from types import SimpleNamespace

import pytest

from crossz.core.terminal import short_lines


def record(message="", event=None, **values):
    made = logging.LogRecord("snakemake", logging.INFO, "", 0, message, (), None)
    made.__dict__ |= {"event": SimpleNamespace(value=event) if event else None, **values}
    return made


@pytest.mark.parametrize("event", ["job_info", "job_started", "job_finished", "group_info"])
def test_what_jobs_say_themselves_is_left_out(event, monkeypatch):
    assert not short_lines()(record("Finished jobid: 1", event))
    monkeypatch.setenv("CROSSZ_LOG", "verbose")
    assert short_lines()(record("Finished jobid: 1", event))


def test_errors_and_messages_pass():
    passes = short_lines()
    assert passes(record("Error in rule train", "job_error"))
    assert passes(record("Job stats", "run_info"))
    assert passes(record("Nothing to be done"))
    assert not passes(record("Select jobs to execute..."))


@pytest.mark.parametrize("total", [3, 85, 20_000])
def test_progress_takes_at_most_fifty_lines_and_ends_with_all(total):
    passes = short_lines()
    shown = [done for done in range(1, total + 1) if passes(record(event="progress", done=done, total=total))]
    assert min(total, 40) <= len(shown) <= 51
    assert shown[-1] == total
