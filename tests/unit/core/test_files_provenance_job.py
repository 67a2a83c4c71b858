"""Whole files, digests that follow imports, logs that a user can read."""

import ast
import importlib
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT

from crossz.core import files, job, provenance
from crossz.core.errors import CrosszError

SOURCE = ROOT / "src/crossz"


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


def test_a_digest_changes_with_what_a_module_imports_and_with_nothing_else(tmp_path, monkeypatch):
    package = tmp_path / "crossz"
    (package / "deep").mkdir(parents=True)
    texts = {
        "__init__": "", "top": "from crossz import middle", "middle": "import crossz.deep.leaf", "other": "x = 1",
        "deep/__init__": "", "deep/leaf": "from .twig import y", "deep/twig": "y = 1",
    }  # fmt: skip
    for name, text in texts.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.setattr(provenance, "PACKAGE", package)

    def digest_after(name, text):
        (package / f"{name}.py").write_text(text)
        provenance._imports.cache_clear()
        return provenance.code_digest("top")

    start = digest_after("top", texts["top"])
    assert digest_after("other", "x = 2") == start
    for name in ("deep/twig", "deep/leaf", "middle", "__init__"):
        assert digest_after(name, texts[name] + "\n# touched") != start, name
        assert digest_after(name, texts[name]) == start
    provenance._imports.cache_clear()


def test_the_digest_of_every_stage_covers_what_python_really_imports():
    for rule_file in (ROOT / "workflow/rules").glob("*.smk"):
        for call in re.findall(r"code_digest\(([^)]*)\)", rule_file.read_text()):
            names = re.findall(r'"([^"]+)"', call)
            for name in names:
                covered = {path.relative_to(SOURCE).as_posix() for path in provenance.closure(*(name,))}
                before = {key: sys.modules.pop(key) for key in list(sys.modules) if key.split(".")[0] == "crossz"}
                try:
                    importlib.import_module(f"crossz.{name}")
                    loaded = {
                        Path(module.__file__) for key, module in sys.modules.items() if key.split(".")[0] == "crossz"
                    }
                finally:
                    for key in [key for key in sys.modules if key.split(".")[0] == "crossz"]:
                        del sys.modules[key]
                    sys.modules.update(before)
                real = {path.relative_to(SOURCE).as_posix() for path in loaded}
                assert real <= covered, f"{rule_file.name}: {name}"


TORCH_SIDE = ["training", "features", "metrics", "shards", "splits", "models.crossmodal", "models.backbones"]
SKY_SIDE = ["archive.embedded", "archive.mat", "frames", "stamps", "cutouts", "sky"]


def imported_roots(*modules):
    roots = set()
    for source in provenance.closure(*modules):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                roots.add(node.module.split(".")[0])
    return roots - set(sys.stdlib_module_names) - {"crossz"}


def test_training_imports_only_what_a_gpu_machine_has():
    assert imported_roots(*TORCH_SIDE) <= {"torch", "torchvision", "numpy", "pandas", "pyarrow"}


def test_the_pipeline_never_imports_torch():
    assert not imported_roots(*SKY_SIDE) & {"torch", "torchvision", "sklearn"}


def test_a_stage_logs_and_ends_with_the_message_alone(tmp_path, capsys):
    log = tmp_path / "log"

    def work():
        with job.logged(log):
            print("working")
            raise CrosszError("catalog.csv: no rows")

    with pytest.raises(SystemExit) as caught:
        work()
    assert caught.value.code == "crossz: catalog.csv: no rows"
    assert log.read_text() == "working\nerror: catalog.csv: no rows\n"
    assert "working" in capsys.readouterr().err


def test_a_stage_keeps_the_traceback_of_a_programming_error(tmp_path):
    with pytest.raises(KeyError), job.logged(tmp_path / "log"):
        raise KeyError("oops")
    assert "Traceback" in (tmp_path / "log").read_text()


def test_adapters_stay_adapters():
    for script in (ROOT / "workflow/scripts").glob("*.py"):
        assert len(script.read_text().splitlines()) <= 25, script.name
