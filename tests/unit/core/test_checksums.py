"""Checksums of what jobs made: written beside the results, compared by whoever reads them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from crossz.core import checksums
from crossz.core.errors import CrosszError

PLAN, SKY = "results/plan/0000.parquet", "results/sky/sas"

NO_FILES = (os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path.name))
"""What makes a pipe, a folder, a device, and a link to itself."""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A file and a folder that jobs have made; their checksums are written."""
    monkeypatch.chdir(tmp_path)
    for name in (PLAN, f"{SKY}/a.bz2", f"{SKY}/301/b.bz2"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    Path(SKY, checksums.STAMP).touch()
    checksums.note([PLAN, SKY])


def test_what_is_as_it_was_passes(made):
    checksums.check([PLAN, SKY])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(b""), "damaged since its job wrote it"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged since its job wrote it"),
        (lambda path: path.write_bytes(b"s" + path.read_bytes()[1:]), "damaged since its job wrote it"),
        (Path.unlink, "gone"),
        *((lambda path, make=make: (path.unlink(), make(path)), "not a regular file") for make in NO_FILES),
    ],
)
@pytest.mark.parametrize(("name", "output"), [(PLAN, PLAN), (f"{SKY}/301/b.bz2", SKY)])
def test_every_change_is_named_with_its_remedy(made, name, output, change, words):
    change(Path(name))
    with pytest.raises(CrosszError) as caught:
        checksums.check([PLAN, SKY])
    assert str(caught.value).startswith(f"{name}: {words}; delete {output} and rerun")
    assert "\n" not in str(caught.value)


def test_all_that_is_damaged_is_listed(made):
    for name in (PLAN, f"{SKY}/a.bz2"):
        Path(name).write_text("x")
    with pytest.raises(CrosszError, match=r"2 problem\(s\)"):
        checksums.check([PLAN, SKY])


@pytest.mark.parametrize(
    "text", ["", "# files: 1\n", "# files: 1\nabc\n", f"# files: 1\n{'0' * 64}  results/other\n", "\xff"]
)
def test_damaged_checksums_are_named(made, text):
    noted = checksums.path_of(PLAN)
    noted.write_text(text, encoding="latin-1")
    with pytest.raises(CrosszError, match=re.escape(f"{noted}: damaged; delete it and {PLAN}, and rerun")):
        checksums.check([PLAN])


@pytest.mark.parametrize("make", NO_FILES)
def test_checksums_that_are_no_file_are_named(made, make):
    noted = checksums.path_of(PLAN)
    noted.unlink()
    make(noted)
    with pytest.raises(CrosszError, match=re.escape(f"{noted}: damaged; delete it and {PLAN}, and rerun")):
        checksums.check([PLAN])


def test_what_no_job_noted_passes(made):
    Path("mine.csv").write_text("x")
    Path("results/theirs.csv").write_text("x")
    checksums.check(["mine.csv", "results/theirs.csv", Path("mine.csv").absolute()])
    checksums.note(["mine.csv", Path("mine.csv").absolute()])
    assert len(list(checksums.all_noted())) == 2


def test_forgotten_checksums_are_gone(made):
    checksums.forget([PLAN, "results/never.csv", "mine.csv"])
    assert [output for _, output in checksums.all_noted()] == [Path(SKY)]
    Path(PLAN).write_text("x")
    checksums.check([PLAN])


def test_an_empty_folder_is_an_output_too(made):
    Path("results/empty").mkdir()
    checksums.note(["results/empty"])
    checksums.check(["results/empty"])


def test_what_a_killed_writer_left_is_no_checksum(made):
    noted = checksums.path_of(PLAN)
    noted.with_name(".0000.parquet.host.1.part.sha256").write_text("half")
    assert [output for _, output in checksums.all_noted()] == [Path(PLAN), Path(SKY)]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_sha256sum_reads_them(made):
    noted = [str(path) for path, _ in checksums.all_noted()]
    done = subprocess.run(["sha256sum", "--check", "--strict", *noted], capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK") == 3
