"""The journal of a shard's frames."""

import json
import os

import pytest

from crossz.archive.journal import Journal, release
from crossz.core.errors import CrosszError

GOOD = {"path": "a", "status": "fetched"}


@pytest.mark.parametrize(
    "line", ['{"path": "b"', "[" * 100_000, '{"path": ["b"], "status": "fetched"}', '{"path": "b"}', "7"]
)
def test_a_line_that_is_none_is_dropped(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{line}\n")
    assert Journal(path).entries == {"a": GOOD}
    assert path.read_text() == f"{json.dumps(GOOD)}\n"


def test_a_journal_that_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "journal.jsonl")
    with pytest.raises(CrosszError, match=r"journal\.jsonl: not a regular file"):
        Journal(tmp_path / "journal.jsonl")


def test_what_waited_is_deleted_with_its_journal_and_may_be_absent(tmp_path):
    journal = Journal(tmp_path / "cache/journal.jsonl")
    journal.add("a", "fetched")
    release(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    release(tmp_path / "cache")
