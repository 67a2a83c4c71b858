"""What lies in results, hashed again."""

import json
import os
from pathlib import Path

import pytest

from crossz.core import checksums, files, verify
from crossz.core.errors import CrosszError

STAMPS, LIST = Path("results/stamps/0000.arrow"), Path("results/stamps/0000.frames.jsonl")


def frame(name, **more):
    return {"path": f"dr17/{name}.bz2"} | more


def write_list(*entries):
    LIST.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    checksums.note([LIST])


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A stage's outputs, a frame of the user, and one that was released after its shard."""
    monkeypatch.chdir(tmp_path)
    LIST.parent.mkdir(parents=True)
    STAMPS.write_bytes(b"pixels")
    Path("sas/dr17").mkdir(parents=True)
    Path("sas/dr17/a.bz2").write_bytes(b"frame")
    write_list(
        frame("a", status="local", sha256=files.sha256("sas/dr17/a.bz2")),
        frame("b", status="fetched", sha256="0"),
        frame("c", status="missing"),
    )
    checksums.note([STAMPS, LIST])


def test_whole_files_pass_and_released_frames_are_not_missed(results, messages):
    verify.verify("sas", False, 1)
    assert "3 files hashed again" in messages.text
    assert "1 fetched frames were not kept" in messages.text
    assert "no job made" not in messages.text


def test_every_damaged_or_lost_file_is_listed(results):
    STAMPS.write_bytes(b"pixelz")
    Path("sas/dr17/a.bz2").unlink()
    with pytest.raises(CrosszError) as caught:
        verify.verify("sas", False, 1)
    assert "2 problem(s)" in str(caught.value)
    assert "0000.arrow: damaged since its job wrote it; delete results/stamps/0000.arrow and rerun" in str(caught.value)
    assert "dr17/a.bz2: gone" in str(caught.value)


@pytest.mark.parametrize("path", [STAMPS, LIST, Path("sas/dr17/a.bz2")])
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_named(results, path, make):
    path.unlink()
    make(path)
    with pytest.raises(CrosszError, match=f"{path}: not a regular file"):
        verify.verify("sas", False, 1)


def test_a_kept_frame_that_is_gone_is_missed(results):
    with pytest.raises(CrosszError, match=r"dr17/b\.bz2: gone"):
        verify.verify("sas", True, 1)


def test_a_frame_that_two_shards_read_is_hashed_once_for_each_part(results, messages):
    parts = [[[0, 2]], [[2, 5]], [[2, 5]]]
    entries = [
        frame("a", status="local", sha256=files.sha256_of_ranges("sas/dr17/a.bz2", part), ranges=part) for part in parts
    ]
    write_list(*entries)
    verify.verify("sas", False, 1)
    assert "4 files hashed again" in messages.text
    entries[2]["sha256"] = entries[0]["sha256"] = "0"  # the third is the second once more
    write_list(*entries)
    with pytest.raises(CrosszError, match=r"1 problem\(s\)"):
        verify.verify("sas", False, 1)


def test_a_frame_that_a_job_made_is_hashed_once(results, messages):
    Path("results/sky/sas/dr17").mkdir(parents=True)
    Path("results/sky/sas/dr17/a.bz2").write_bytes(b"frame")
    checksums.note(["results/sky/sas"])
    verify.verify(None, False, 1)
    assert "3 files hashed again" in messages.text


@pytest.mark.parametrize("keep", [b"", b"\xff" * 9])
def test_damaged_accounts_are_named_beside_all_else(results, keep):
    noted = checksums.path_of(STAMPS)
    noted.write_bytes(keep)
    LIST.write_bytes(LIST.read_bytes()[:-9] + b"\xff" * 9)
    Path("sas/dr17/a.bz2").unlink()
    with pytest.raises(CrosszError) as caught:
        verify.verify("sas", False, 1)
    for words in (
        f"{noted}: damaged; delete it and {STAMPS}",
        f"{LIST}: damaged since",
        f"{LIST}: damaged, and with it",
    ):
        assert words in str(caught.value)


def test_files_that_no_job_made_are_named(results, messages):
    for name in ("results/notes.txt", *(f"results/models/old/{number:02d}" for number in range(30))):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    for name in (
        "cache/query/1.parquet",
        "checkpoints/0.pt",
        "frames/0000/a.bz2",
        "spectra/0000/a",
        "predict/n/frames/0000/a",
    ):
        Path("results", name).parent.mkdir(parents=True, exist_ok=True)
        Path("results", name).touch()
    verify.verify("sas", False, 1)
    said = messages.text.split("no job made these files, so they were not checked: ")[1]
    assert said.startswith("results/notes.txt, results/models/old/00, ")
    assert said.strip().endswith("old/18 and 11 more")


def test_nothing_to_verify_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CrosszError, match="nothing to verify"):
        verify.verify(None, False, 1)


def test_a_subset_is_the_same_share_every_time(tmp_path, monkeypatch, messages):
    monkeypatch.chdir(tmp_path)
    Path("results/many").mkdir(parents=True)
    for number in range(200):
        Path(f"results/many/{number}").write_bytes(b"x")
    checksums.note(["results/many"])
    verify.verify(None, False, 0.25)
    first = messages.messages[:2]
    verify.verify(None, False, 0.25)
    assert messages.messages[2:] == first
    assert 25 < int(first[0].split()[0]) < 75
