"""curl, wget and aria2c, unchanged, against the local archive's files: whole, in ranges, and going on after a cut.

Seen with curl 7.88, wget 1.21 and aria2 1.36. A program that is not here is skipped.
"""

import shutil
import subprocess

import pytest
from local_archive import Fault, serve


@pytest.fixture(scope="module")
def running(small_sky):
    with serve(None, [small_sky / "sas"]) as server:
        yield server


@pytest.fixture
def file(running, small_sky):
    """(address, bytes) of a frame."""
    running.faults.clear()
    running.hits.clear()
    path = sorted((small_sky / "sas").rglob("frame-r-*.bz2"))[0]
    return f"{running.url}/sas/{path.relative_to(small_sky / 'sas')}", path.read_bytes()


def call(*command, fails=False):
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    ended = subprocess.run(command, capture_output=True, timeout=120)
    assert (ended.returncode != 0) == fails, ended.stderr
    return ended.stdout


COMMANDS = {
    "curl": lambda url, out: ["curl", "-sS", "-o", out, "-C", "-", url],
    "wget": lambda url, out: ["wget", "-q", "-t", "1", "-c", "-O", out, url],
    "aria2c": lambda url, out: ["aria2c", "-q", "-c", "-m", "1", "--auto-file-renaming=false", "-d", str(out.parent), "-o", out.name, url],
}  # fmt: skip


@pytest.mark.parametrize("program", COMMANDS)
def test_a_file_whole_and_what_is_missing_of_it(running, file, tmp_path, program):
    url, body = file
    out = tmp_path / "frame.fits.bz2"
    call(*COMMANDS[program](url, out))
    assert out.read_bytes() == body
    out.write_bytes(body[: len(body) // 3])
    running.hits.clear()
    call(*COMMANDS[program](url, out))
    assert out.read_bytes() == body
    sent = [hit.bytes_sent for hit in running.hits if (hit.status, hit.complete) == (206, True)]
    assert sent
    assert max(sent) < 0.75 * len(body)  # aria2c begins at a piece of its own


@pytest.mark.parametrize("program", COMMANDS)
def test_a_cut_transfer_is_noticed_and_goes_on(running, file, tmp_path, program):
    url, body = file
    out = tmp_path / "frame.fits.bz2"
    running.faults[:] = [Fault("GET /sas", "cut_length", 1)]
    call(*COMMANDS[program](url, out), fails=True)
    call(*COMMANDS[program](url, out))
    assert out.read_bytes() == body


def test_several_connections_share_a_file(running, tmp_path):
    content = bytes(range(256)) * 20_000
    (tmp_path / "a.bin").write_bytes(content)
    with serve(None, [tmp_path]) as server:
        call(
            "aria2c",
            "-q",
            "-x",
            "4",
            "-s",
            "4",
            "-k",
            "1M",
            "-d",
            str(tmp_path),
            "-o",
            "b.bin",
            f"{server.url}/sas/a.bin",
        )
        assert (tmp_path / "b.bin").read_bytes() == content
        assert sum(hit.status == 206 for hit in server.hits) >= 2


def test_ranges_of_curl(file):
    url, body = file
    assert call("curl", "-sS", "-r", "100-199", url) == body[100:200]
    assert call("curl", "-sS", "-r", "-7", url) == body[-7:]
    assert call("curl", "-sS", "-r", "9-3", url) == body  # no range at all
    said = call("curl", "-sS", "-o", "-", "-w", "%{http_code}", "-r", f"{len(body)}-", url)
    assert said == b"416"
