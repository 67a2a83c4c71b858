"""The record of how a result came about: code digests and versions."""

import ast
import functools
import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGE = Path(__file__).parent


def code_digest(*modules: str) -> str:
    """Digest of the source of `modules` and of every crossz module that they import, at any depth.

    Snakemake does not see a change in an imported module; as a rule's `params` this digest makes it rerun
    exactly the rules whose code changed. `modules` are names inside the package: "cutouts", "archive.sql".
    """
    digest = hashlib.sha256()
    for source in sorted(_closure(modules)):
        digest.update(source.relative_to(PACKAGE).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def _closure(modules: tuple[str, ...]) -> set[Path]:
    found: set[Path] = set()
    todo = [source for name in modules for source in _sources(f"crossz.{name}", must_exist=True)]
    while todo:
        source = todo.pop()
        if source not in found:
            found.add(source)
            todo.extend(_imports(source))
    return found


@functools.cache
def _imports(source: Path) -> list[Path]:
    package = ("crossz", *source.relative_to(PACKAGE).parent.parts)
    names: list[str] = []
    for node in ast.walk(ast.parse(source.read_text(), filename=str(source))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, node.module] if node.module else above)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [path for name in names if name.split(".")[0] == "crossz" for path in _sources(name)]


def _sources(name: str, must_exist: bool = False) -> list[Path]:
    # A module's file and, as Python runs them first, the __init__ of the packages that it lies in.
    parts = name.split(".")[1:]
    path = PACKAGE.joinpath(*parts)
    module = [candidate for candidate in (path.with_suffix(".py"), path / "__init__.py") if candidate.is_file()]
    if must_exist and not module:
        raise ModuleNotFoundError(f"code_digest: there is no module {name}")
    above = [PACKAGE.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts))]
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
