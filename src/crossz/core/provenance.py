"""The record of how a result came about: code digests and versions."""

import ast
import functools
import hashlib
import importlib.metadata
import io
import os
import platform
import tokenize
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def code_digest(*modules: str) -> str:
    """Digest of what `modules` and every crossz module that they import, at any depth, do.

    Snakemake does not see a change in an imported module. As a rule's `params` this digest makes it rerun exactly the
    rules whose code changed. Comments, docstrings, blank lines and imports for type checkers alone do not count.

    Parameters
    ----------
    *modules
        Names inside the package: "images.cutouts", "archive.sql".

    Raises
    ------
    ModuleNotFoundError
        There is no such module.
    """
    digest = hashlib.sha256()
    for source in sorted(closure(*modules)):
        digest.update(source.relative_to(PACKAGE).as_posix().encode())
        digest.update(_meaning(source.read_text()).encode())
    return digest.hexdigest()[:12]


def closure(*modules: str) -> set[Path]:
    """The files of `modules` and of every crossz module that they import, at any depth, the package's own apart."""
    files: set[Path] = set()
    todo = [source for name in modules for source in _sources(f"crossz.{name}", must_exist=True)]
    while todo:
        source = todo.pop()
        if source not in files:
            files.add(source)
            todo.extend(_imports(source))
    return files


def _unread(tree: ast.Module) -> set[int]:
    """Numbers of the lines of docstrings and of imports for type checkers."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        for part in getattr(node, "body", []) if not isinstance(node, ast.Lambda | ast.IfExp) else []:
            text = (
                isinstance(part, ast.Expr)
                and isinstance(part.value, ast.Constant)
                and isinstance(part.value.value, str)
            )
            if text or _for_types(part):
                lines.update(range(part.lineno, (part.end_lineno or part.lineno) + 1))
    return lines


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _meaning(source: str) -> str:
    # The text itself and not the parsed tree: how Python writes a tree differs from version to version.
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    unread = _unread(ast.parse(source))
    return "\n".join(line.rstrip() for n, line in enumerate(lines, 1) if n not in unread and line.strip())


@functools.cache
def _imports(source: Path) -> list[Path]:
    package = ("crossz", *source.relative_to(PACKAGE).parent.parts)
    names: list[str] = []
    tree = ast.parse(source.read_text(), filename=str(source))
    unread = _unread(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.lineno not in unread:
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, node.module] if node.module else above)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [path for name in names if name.split(".")[0] == "crossz" for path in _sources(name)]


def _sources(name: str, must_exist: bool = False) -> list[Path]:
    # A module's file and, as Python runs them first, the __init__ of the packages that it lies in. That of crossz itself
    # only names what users call: nothing of it enters a result.
    parts = name.split(".")[1:]
    if not parts:
        return []
    path = PACKAGE.joinpath(*parts)
    module = [candidate for candidate in (path.with_suffix(".py"), path / "__init__.py") if candidate.is_file()]
    if must_exist and not module:
        raise ModuleNotFoundError(f"code_digest: there is no module {name}")
    above = [PACKAGE.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts))]
    return module[:1] + [package for package in above if package.is_file()]


def jobs_import_from(folder: Path) -> None:
    """Have jobs import the crossz of `folder`, whichever is installed beside them: code digests are of these files."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(folder) if before is None else f"{folder}{os.pathsep}{before}"


def versions(*distributions: str) -> dict[str, str]:
    """Versions of Python and of `distributions`, "absent" where this environment lacks one, for the record of a run."""
    found = {"python": platform.python_version()}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found
