"""Digests that follow imports and what code does, and nothing else."""

import ast
import importlib
import re
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT

from crossz.core import provenance

SOURCE = ROOT / "src/crossz"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that writes modules {name: text} into a package crossz and gives the digest of `top`."""
    folder = tmp_path / "crossz"
    monkeypatch.setattr(provenance, "PACKAGE", folder)

    def digest(modules):
        for name, text in modules.items():
            path = folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        provenance.forget()
        return provenance.code_digest("top")

    yield digest
    provenance.forget()


def test_a_digest_changes_with_what_a_module_imports_and_with_nothing_else(package):
    texts = {
        "__init__": "", "top": "from crossz import middle", "middle": "import crossz.deep.leaf", "other": "x = 1",
        "deep/__init__": "", "deep/leaf": "from .twig import y", "deep/twig": "y = 1",
    }  # fmt: skip
    start = package(texts)
    assert package({"other": "x = 2"}) == start
    assert package({"__init__": "touched = 1"}) == start, "the package's own __init__ only names what users call"
    for name in ("deep/twig", "deep/leaf", "deep/__init__", "middle", "top"):
        assert package({name: texts[name] + "\ntouched = 1"}) != start, name
        assert package({name: texts[name] + "\n# touched"}) == start, name
        assert package({name: texts[name]}) == start


@pytest.mark.parametrize(
    "line",
    [
        "from crossz import leaf", "from crossz import other, leaf", "from crossz.leaf import x", "import crossz.leaf",
        "import crossz.leaf as y", "import os, crossz.leaf", "from . import leaf", "from .leaf import x",
        "from .leaf import (\n x,\n)", "from crossz import (\n    other,  # one\n    leaf as y,\n)",
        "from crossz import \\\n    leaf", "x = 1; import crossz.leaf", "def f():\n    from crossz import leaf",
        "try:\n    import crossz.leaf\nexcept ImportError:\n    pass", "try: import crossz.leaf\nexcept ImportError: pass",
        "if True: from crossz import leaf", "from.leaf import x", "from crossz.leaf import*",
        '"""a\n"""; from crossz import leaf', "if TYPE_CHECKING:\n    import os\nelse:\n    import crossz.leaf",
        "if TYPE_CHECKING:\n    import os\nimport crossz.leaf",
    ],
)  # fmt: skip
def test_every_form_of_an_import_is_followed(package, line):
    start = package({"top": line, "leaf": "x = 1", "other": "x = 1"})
    assert package({"leaf": "x = 2"}) != start


@pytest.mark.parametrize(
    "line",
    [
        "x = 'from crossz import leaf'", "# import crossz.leaf", '"""\nimport crossz.leaf\n"""',
        "if TYPE_CHECKING:\n    import crossz.leaf",
        "if typing.TYPE_CHECKING:\n\n    # a\n    from crossz import (\n        leaf,\n    )\n\nx = 1",
    ],
)  # fmt: skip
def test_what_is_no_import_is_not_followed(package, line):
    start = package({"top": line, "leaf": "x = 1"})
    assert package({"leaf": "x = 2"}) == start


BASE = """import os
from typing import TYPE_CHECKING


class Lost(Exception):
    pass


def f(x):
    if x:
        return os.sep
    return [
        1,
        2,
    ]
"""
SAME = {
    "docstrings": BASE.replace("import os", '"""About\n\n  # it."""\nimport os').replace("f(x):", "f(x):\n    r'Doc \\d'"),
    "a docstring instead of pass": BASE.replace("    pass", '    """Lost."""'),
    "a docstring before pass": BASE.replace("    pass", '    """Lost."""\n\n    pass'),
    "an attribute's docstring": BASE.replace("\n\n\ndef", '\n\n    """Of no attribute."""\n\n\ndef'),
    "comments": BASE.replace("sep", "sep  # 'here").replace("1,", "1,  # one ]").replace("import os", "# a\nimport os  # b"),
    "blank lines": BASE.replace("\n    if", "\n\n    if").replace("        2", "\n\n        2") + "\n\n",
    "spaces at the end": BASE.replace("sep\n", "sep  \n").replace("pass\n", "pass\t\n"),
    "for types": BASE.replace("\n\n\nclass", "\n\nif TYPE_CHECKING:\n    from a import b\n\n    x = '''\na\n'''\n\n\nclass"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_what_is_for_readers_alone_does_not_count(package, case):
    assert SAME[case] != BASE
    assert package({"top": SAME[case]}) == package({"top": BASE})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1", "x = 2"),
        ("x = '# a'", "x = '# b'"),
        ("x = \"'\" # '\ny = 1", "x = \"'\" # '\ny = 2"),
        ("x = 'a\\'# b'", "x = 'a\\'# c'"),
        ("x = r'\\\\'; y = '#1'", "x = r'\\\\'; y = '#2'"),
        ('x = """\n# a\n"""', 'x = """\n# b\n"""'),
        ('x = """\na\n\n"""', 'x = """\na\n"""'),
        ('x = """a  \nb"""', 'x = """a\nb"""'),
        ('x = """a"b""c\\""" # d"""', 'x = """a"b""c\\""" # e"""'),
        ('"""doc"""; x = 1', '"""doc"""; x = 2'),
        ('x = \\\n"a"', 'x = \\\n"b"'),
        ('x = (\n"a"\n)', 'x = (\n"b"\n)'),
        ('x = [\n"a",\n# c\n"b"\n]', 'x = [\n"a",\n"c"\n]'),
        ('f(\n    """a"""\n)', 'f(\n    """b"""\n)'),
        ('"a".join(x)', '"b".join(x)'),
        ('f"{g()}"', 'f"{h()}"'),
        ("@cache\ndef f():\n    'doc'", "def f():\n    'doc'"),
        ("def f():\n    'doc'\n    return 1", "def f():\n    'doc'\n    return 2"),
        ("if x:\n    a()\nb()", "if x:\n    a()\n    b()"),
        ("if x:\n    'a'\nb()", "if x:\n    b()"),
        ("if TYPE_CHECKING:\n    a = 1\nb = 1", "if TYPE_CHECKING:\n    a = 1\nb = 2"),
        ("if not TYPE_CHECKING:\n    a = 1", "if not TYPE_CHECKING:\n    a = 2"),
        ("if TYPE_CHECKING or x:\n    a = 1", "if TYPE_CHECKING or x:\n    a = 2"),
        ("x: '1' = 1", "x: '2' = 1"),
        ("x = '0'", "x = '1'"),
        ("x = 'a'\ny = 'b'", "x = 'b'\ny = 'a'"),
        ("'a'\nx = __doc__", "'b'\nx = __doc__"),
    ],
)
def test_what_code_does_counts(package, before, after):
    assert package({"top": before}) != package({"top": after})


def without_what_does_not_count(tree):
    """The tree without docstrings and blocks for type checkers, `pass` where nothing else was."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                kept = [statement for statement in statements if not (is_text(statement) or is_for_types(statement))]
                setattr(node, field, kept or [ast.Pass()] * bool(statements and not isinstance(node, ast.Module)))
    return tree


def is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_for_types(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imported(tree, package):
    """Files of ours that a module imports, by its tree."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {path for name in names if name.split(".")[0] == "crossz" for path in provenance._sources(name)}


def test_a_digest_reads_of_every_module_what_python_reads():
    for path in SOURCE.rglob("*.py"):
        read, text = provenance._read(path), path.read_text()
        if "__doc__" in text:  # a docstring that is a value
            continue
        tree = without_what_does_not_count(ast.parse(text))
        assert ast.dump(ast.parse(read.meaning)) == ast.dump(tree), path
        assert set(read.imports) == imported(tree, ["crossz", *path.relative_to(SOURCE).parent.parts]), path


def digests_of_rules():
    """Modules of each code_digest in the rules."""
    calls = [
        re.findall(r'"([^"]+)"', call)
        for path in (ROOT / "workflow/rules").glob("*.smk")
        for call in re.findall(r"code_digest\(([^)]*)\)", path.read_text())
    ]
    return [modules for modules in calls if modules]


def test_all_digests_of_a_parse_take_little_time():
    provenance.forget()
    start = time.process_time()
    for modules in digests_of_rules():
        provenance.code_digest(*modules)
    assert time.process_time() - start < 0.2  # of this process alone: a busy machine does not matter


def test_a_module_that_is_not_there_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"no module crossz\.images\.nosuch"):
        provenance.code_digest("images.nosuch")


def test_the_digest_of_every_rule_covers_what_python_really_imports():
    for name in {name for modules in digests_of_rules() for name in modules}:
        covered = provenance.closure(name)
        before = {key: sys.modules.pop(key) for key in list(sys.modules) if key.split(".")[0] == "crossz"}
        try:
            importlib.import_module(f"crossz.{name}")
            ours = [module for key, module in sys.modules.items() if key.split(".")[0] == "crossz"]
        finally:
            for key in [key for key in sys.modules if key.split(".")[0] == "crossz"]:
                del sys.modules[key]
            sys.modules.update(before)
        loaded = {Path(module.__file__) for module in ours} - {
            SOURCE / "__init__.py"
        }  # which only names what users call
        assert loaded <= covered, name


TORCH_SIDE = ["models.training", "models.features", "images.store", "catalog.splits"]
SKY_SIDE = [
    "archive.embedded",
    "images.mat",
    "images.stamps",
    "images.cutouts",
    "images.index",
    "catalog.objects",
    "sky",
]


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
