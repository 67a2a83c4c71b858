"""What lies on disk, hashed again."""

import json

import pytest

from crossz.core import files, verify
from crossz.core.errors import CrosszError


@pytest.fixture
def results(tmp_path):
    """A stage's output with its counts, a kept frame, and one that was released after its shard."""
    folder = tmp_path / "results"
    (folder / "stamps").mkdir(parents=True)
    (folder / "stamps/0000.arrow").write_bytes(b"pixels")
    files.write_json(folder / "stamps/0000.counts.json", {"sha256": files.digests(folder / "stamps/0000.arrow")})
    kept, gone = "dr17/a.bz2", "dr17/b.bz2"
    (tmp_path / "sas/dr17").mkdir(parents=True)
    (tmp_path / "sas" / kept).write_bytes(b"frame")
    lines = [
        {"path": kept, "status": "local", "sha256": files.sha256(tmp_path / "sas" / kept)},
        {"path": gone, "status": "fetched", "sha256": "0"},
        {"path": "dr17/c.bz2", "status": "missing"},
    ]
    (folder / "stamps/0000.frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_whole_files_pass_and_released_frames_are_not_missed(results, messages):
    verify.verify(results, results.parent / "sas", False, 1)
    assert "2 files hashed again" in messages.text
    assert "1 fetched frames were not kept" in messages.text


def test_every_damaged_or_lost_file_is_listed(results):
    (results / "stamps/0000.arrow").write_bytes(b"pixelz")
    (results.parent / "sas/dr17/a.bz2").unlink()
    with pytest.raises(CrosszError) as caught:
        verify.verify(results, results.parent / "sas", False, 1)
    assert "2 problem(s)" in str(caught.value)
    assert "0000.arrow: damaged; delete it and rerun" in str(caught.value)
    assert "dr17/a.bz2: gone" in str(caught.value)


def test_a_kept_frame_that_is_gone_is_missed(results):
    with pytest.raises(CrosszError, match=r"dr17/b\.bz2: gone"):
        verify.verify(results, results.parent / "sas", True, 1)


@pytest.mark.parametrize("name", ["0000.counts.json", "0000.frames.jsonl"])
def test_a_damaged_account_is_named(results, name):
    path = results / "stamps" / name
    path.write_bytes(path.read_bytes()[:-9] + b"\xff" * 9)
    with pytest.raises(CrosszError, match=f"{name}: damaged, and with it"):
        verify.verify(results, results.parent / "sas", False, 1)


def test_nothing_to_verify_is_an_error(tmp_path):
    with pytest.raises(CrosszError, match="nothing to verify"):
        verify.verify(tmp_path, None, False, 1)


def test_a_subset_is_the_same_share_every_time(tmp_path, messages):
    for number in range(200):
        (tmp_path / f"{number}").write_bytes(b"x")
    files.write_json(
        tmp_path / "counts.json", {"sha256": {str(n): files.sha256(tmp_path / str(n)) for n in range(200)}}
    )
    verify.verify(tmp_path, None, False, 0.25)
    first = messages.messages[0]
    verify.verify(tmp_path, None, False, 0.25)
    assert messages.messages[1:] == [first]
    assert 25 < int(first.split()[0]) < 75
