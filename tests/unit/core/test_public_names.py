"""What `import crossz` offers, and that it loads nothing."""

import ast
import importlib
import inspect
import subprocess
import sys

import pytest
from helpers import ROOT

import crossz
from crossz.core.errors import CrosszError
from crossz.core.version import VERSION


def test_importing_the_package_loads_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import crossz; dir(crossz)\n"
        "ours = {name for name in sys.modules if name.startswith('crossz')}\n"
        "assert ours == {'crossz'}, ours\n"
        "assert not {'numpy', 'pandas', 'torch'} & set(sys.modules)\n"
        "assert crossz.CrosszError and crossz.BANDS == 'ugriz' and crossz.__version__\n"
        "assert not {'numpy', 'pandas', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT / "src", timeout=60)


@pytest.mark.parametrize("name", crossz.__all__)
def test_every_public_name_is_there(name):
    value = getattr(crossz, name)
    assert name in dir(crossz)
    if inspect.isroutine(value) or inspect.isclass(value):
        assert value.__doc__
        assert inspect.getmodule(value).__name__.startswith("crossz.")


def test_public_names_are_those_of_their_modules():
    assert crossz.CrosszError is CrosszError
    assert crossz.__version__ == VERSION
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        crossz.nosuch  # noqa: B018


def test_type_checkers_see_the_same_names():
    tree = ast.parse((ROOT / "src/crossz/__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    names = {alias.asname or alias.name: (node.module, alias.name) for node in block.body for alias in node.names}
    assert sorted(names) == sorted(crossz.__all__)
    for module, name in names.values():
        assert hasattr(importlib.import_module(module), name)


def test_the_documentation_says_how_to_begin():
    for name in crossz.__all__:
        assert name in crossz.__doc__ or name == "__version__"
    lines = [line.removeprefix(">>> ") for line in crossz.__doc__.splitlines() if line.startswith(">>> ")]
    assert len(lines) == 6
    compile("\n".join(lines), "help", "exec")
