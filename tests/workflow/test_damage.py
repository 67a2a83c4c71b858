"""A finished run of every rule: what `verify` and each stage say of a damaged file, and each stage of a full disk."""

import contextlib
import gc
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from project import FIGURES, METRICS, planned, work

from crossz.core import checksums, verify
from crossz.core.errors import CrosszError

TARGETS = [
    *METRICS, *FIGURES, "results/comparison.md", "results/bundle/extended-crossmodal.zip", "results/predict/mine.html",
    "results/qp/baseline/crossmodal/0/phot+img.hdf5",
    *(f"results/figures/extended/{name}.png" for name in ("models", "error_vs_z", "calibration", "learning", "gallery")),
]  # fmt: skip
CHANGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "flipped": lambda content: content[: (at := len(content) // 2)] + bytes([content[at] ^ 1]) + content[at + 1 :],
}


def plan(where, everything=True):
    return planned(where, ["small.yaml"], *TARGETS, config={"targets": "mine.csv"}, everything=everything)


@pytest.fixture(scope="module")
def made(run):
    """A folder in which every rule of the embedded survey has run."""
    objects = pd.read_parquet(run / "results/catalog/extended.parquet").head(3)[["ra", "dec"]]
    objects.astype(str).to_csv(run / "mine.csv", index=False)
    waiting = plan(run, everything=False)
    while waiting:
        ready = [job for job in waiting if all((run / path).exists() for path in job.input)]
        assert ready
        for job in ready:
            work(run, job)
        waiting = [job for job in waiting if job not in ready]
    return run


@pytest.fixture(scope="module")
def jobs(made):
    """One job of each rule."""
    found = {job.rule.name: job for job in plan(made)}
    assert len(found) > 30
    return found


@contextlib.contextmanager
def changed(path, change):
    before = path.read_bytes()
    path.write_bytes(change(before))
    try:
        yield
    finally:
        path.write_bytes(before)


def told(where, job):
    """The message with which a script ends, None if it ends well; any other error is raised."""
    try:
        work(where, job)
    except SystemExit as error:
        return str(error.code)
    return None


@pytest.mark.parametrize("change", CHANGES)
def test_each_stage_names_a_damaged_input_and_the_remedy(made, jobs, change):
    tried = 0
    for rule, job in jobs.items():
        outputs = {Path(path).parts[1]: path for path in job.input if path.startswith("results/")}  # one of each kind
        for output in outputs.values():
            file = checksums.files_of(made / output)[0]
            with changed(file, CHANGES[change]):
                message = told(made, job)
            begin = f"crossz: {file.relative_to(made)}: damaged since its job wrote it; delete {output} and rerun"
            assert message is not None, f"{rule}: {output}"
            assert message.startswith(begin), f"{rule}: {message}"
            assert "\n" not in message
            tried += 1
    assert tried > 60


@pytest.mark.parametrize("change", ["empty", "cut"])
@pytest.mark.parametrize("rule", ["query", "match"])
def test_a_damaged_file_of_the_user_is_named(made, jobs, rule, change):
    (path,) = [path for path in jobs[rule].input if not path.startswith("results/")]
    with changed(made / path, CHANGES[change]):
        message = told(made, jobs[rule])
    assert message is not None
    assert Path(path).name in message
    work(made, jobs[rule])  # which has lost its outputs


@pytest.fixture
def copy(made, tmp_path, monkeypatch):
    """A copy of the results; it is the current folder."""
    shutil.copytree(made / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    found = [path for path in checksums.files_of(Path("results")) if checksums.FOLDER not in path.parts]
    assert {path.suffix for path in found} >= {".parquet", ".csv", ".md", ".yaml", ".json", ".jsonl", ".sqlite", ".pt", ".arrow",
                                               ".bz2", ".fits", ".png", ".pdf", ".zip", ".html", ".hdf5"}  # fmt: skip
    verify.verify(None, False, 1)
    return found


@pytest.mark.parametrize("change", [*CHANGES, "gone"])
def test_verify_names_every_file_that_is_damaged_or_gone(copy, change):
    for path in copy:
        if change == "gone":
            path.unlink()
        else:
            path.write_bytes(CHANGES[change](path.read_bytes()))
    with pytest.raises(CrosszError) as caught:
        verify.verify(None, False, 1)
    lines = str(caught.value).splitlines()
    words = "gone" if change == "gone" else "damaged since its job wrote it"
    assert not [path for path in copy if not any(line.startswith(f"  - {path}: {words}; delete") for line in lines)]


def test_verify_names_every_damaged_checksum(copy):
    noted = [path for path, _ in checksums.all_noted()]
    for path in noted:
        path.write_bytes(CHANGES["flipped"](path.read_bytes()))
    with pytest.raises(CrosszError) as caught:
        verify.verify(None, False, 1)
    assert len(str(caught.value).splitlines()) > len(noted)


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # of HDF5, which tries to write once more
def test_a_full_disk_ends_each_stage_with_one_line_and_without_half_files(made, jobs, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    for name in ("workflow", "mine.csv", "config"):
        (tmp_path / name).symlink_to(made / name)

    def mount(*options):
        return subprocess.run(["mount", *options, str(results)], capture_output=True, check=False).returncode == 0

    if shutil.which("mount") is None or not mount("-t", "tmpfs", "-o", "size=300m", "none"):
        pytest.skip("no right to mount a file system")
    try:
        shutil.copytree(made / "results", results, dirs_exist_ok=True)
        for rule, job in jobs.items():
            lost = [tmp_path / path for path in job.output]
            for path in lost:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            gc.collect()  # a deleted file that an earlier job has mapped takes space until then
            assert mount("-o", f"remount,size={shutil.disk_usage(results).used}")
            message = told(tmp_path, job)
            assert message is not None, rule
            assert "no space is left; free some and rerun" in message, f"{rule}: {message}"
            assert "'results/" in message, f"{rule}: {message}"
            assert "\n" not in message, f"{rule}: {message}"
            assert not list(results.rglob("*.part*")), rule
            whole = [
                file for path in lost if path.is_file() for file in checksums.files_of(path) if file.suffix != ".jsonl"
            ]
            assert not [
                file for file in whole if file.read_bytes() != (made / file.relative_to(tmp_path)).read_bytes()
            ], rule
            assert mount("-o", "remount,size=300m")
            for path in lost:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
                source = made / path.relative_to(tmp_path)
                (shutil.copytree if source.is_dir() else shutil.copy)(source, path)
    finally:
        subprocess.run(["umount", "-l", str(results)], check=True)
