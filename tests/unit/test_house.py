"""How the package is built: layers, types, sizes, and no output but by logging."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

PACKAGE = ROOT / "src/crossz"
MODULES = sorted(PACKAGE.rglob("*.py"))
TREES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text()) for path in MODULES}
LINES, FUNCTION_LINES, POSITIONAL = 400, 60, 6
"""The most that a file, a function besides its docstring, and a function's positional parameters may be."""


def functions():
    """(module, its function) of every function and method."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield name, node


def length(function):
    """Lines of a function from its `def` on, without its docstring."""
    first = function.body[0]
    docstring = ast.get_docstring(function) is not None
    return function.end_lineno - function.lineno + 1 - docstring * (first.end_lineno - first.lineno + 1)


@pytest.fixture
def copy(tmp_path):
    """A copy of the package with the settings of the tools."""
    shutil.copytree(PACKAGE, tmp_path / "src/crossz", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(where, module, line):
    """Write a line at the end of a module."""
    path = where / "src/crossz" / module
    path.write_text(f"{path.read_text()}\n{line}\n")


def run(where, *command):
    environment = os.environ | {"PYTHONPATH": str(where / "src")}
    tool = Path(sys.executable).parent / command[0]
    return subprocess.run([tool, *command[1:]], cwd=where, capture_output=True, text=True, env=environment)


def test_the_layers_hold(copy):
    done = run(copy, "lint-imports", "--no-cache")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("sdss/frames.py", "import crossz.images.store", "layers below"),
        ("report/gallery.py", "import crossz.archive.http", "layers below"),
        ("models/evaluation.py", "import crossz.scores.metrics", "scores trains nothing"),
        ("models/inference.py", "import sklearn", "Training and inference"),
        ("models/training.py", "def late():\n    import crossz.sky.seds", "Training and inference"),
        ("core/errors.py", "import astropy.io.fits", "Training and inference"),
    ],
)
def test_a_forbidden_import_is_found(copy, module, line, contract):
    plant(copy, module, line)
    done = run(copy, "lint-imports", "--no-cache")
    assert done.returncode == 1, done.stdout + done.stderr
    broken = [text for text in done.stdout.splitlines() if "BROKEN" in text]
    assert any(contract in text for text in broken), done.stdout


def test_a_new_package_must_find_its_layer(copy):
    (copy / "src/crossz/attic").mkdir()
    (copy / "src/crossz/attic/__init__.py").touch()
    done = run(copy, "lint-imports", "--no-cache")
    assert done.returncode == 1, done.stdout
    assert "attic" in done.stdout


def test_a_wrong_type_is_found(copy):
    plant(copy, "core/errors.py", 'def wrong() -> int:\n    return "text"')
    done = run(copy, "mypy", "--cache-dir", "cache", "--follow-imports", "skip", "src/crossz/core/errors.py")
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'expected "int"' in done.stdout


@pytest.mark.parametrize("name", TREES)
def test_a_file_is_short(name):
    assert len((PACKAGE / name).read_text().splitlines()) <= LINES


def test_functions_are_short():
    long = {f"{name}: {node.name}": length(node) for name, node in functions() if length(node) > FUNCTION_LINES}
    assert not long


def test_functions_have_few_positional_parameters():
    many = {}
    for name, node in functions():
        names = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args]]
        if len([given for given in names if given not in ("self", "cls")]) > POSITIONAL:
            many[f"{name}: {node.name}"] = names
    assert not many


def test_the_package_logs_and_does_not_print():
    printing = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not printing


def test_a_subpackage_opens_with_its_purpose_and_nothing_else():
    for name, tree in TREES.items():
        if name.endswith("/__init__.py"):
            assert ast.get_docstring(tree), name
            assert len(tree.body) == 1, name


def test_importing_the_package_imports_nothing_else(tmp_path):
    script = "import sys; before = set(sys.modules); import crossz; print(*set(sys.modules) - before, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
    )
    allowed = {"crossz", "crossz.core", "crossz.core.version", "importlib", "importlib.util", "typing"}
    heavy = {name for name in done.stdout.split() if name.split(".")[0] not in sys.stdlib_module_names} - allowed
    assert not heavy


def test_scripts_are_short():
    long = [
        path.name
        for path in sorted((ROOT / "workflow/scripts").glob("*.py"))
        if len(path.read_text().splitlines()) > 25
    ]
    assert not long
