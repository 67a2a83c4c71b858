"""Whole files or none."""

import subprocess
import sys
import time

import pytest
from helpers import ROOT

from crossz.core import files
from crossz.core.errors import CrosszError


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "sub" / "a.json"
    files.write_json(path, {"b": 1, "a": 2})
    assert files.read_json(path) == {"b": 1, "a": 2}

    def interrupted():
        with files.atomic_path(path) as temporary:
            temporary.write_text("half")
            assert temporary.suffix == ".json"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert files.read_json(path) == {"b": 1, "a": 2}
    assert [entry.name for entry in path.parent.iterdir()] == ["a.json"]


def test_what_a_killed_writer_left_goes_and_what_a_live_one_writes_stays(tmp_path):
    path = tmp_path / "a[1].json"
    write = "import sys, time; from crossz.core.files import atomic_path\nwith atomic_path(sys.argv[1]) as t: t.touch(); time.sleep(60)"
    writers = [subprocess.Popen([sys.executable, "-c", write, path], cwd=ROOT / "src") for _ in range(2)]
    while len(list(tmp_path.iterdir())) < 2:
        assert all(writer.poll() is None for writer in writers)
        time.sleep(0.01)
    writers[0].kill()
    writers[0].wait()
    files.write_json(path, {})
    assert sorted(str(writers[1].pid) in entry.name for entry in tmp_path.iterdir()) == [False, True]
    writers[1].kill()
    writers[1].wait()
    files.write_json(path, {})
    assert list(tmp_path.iterdir()) == [path]


def test_digests_are_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    (tmp_path / "b").write_bytes(b"2378")
    assert files.sha256_of_ranges(tmp_path / "a", [[2, 4], [7, 9]]) == files.sha256(tmp_path / "b")
    assert files.digests(tmp_path / "b") == {"b": files.sha256(tmp_path / "b")}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe{", b"[" * 100_000, b"null"])
def test_a_damaged_json_file_is_named_with_the_remedy(tmp_path, content):
    path = tmp_path / "jobs.json"
    path.write_bytes(content)
    with pytest.raises(CrosszError, match=r"jobs\.json: damaged .*; delete it and rerun"):
        files.read_json(path)
