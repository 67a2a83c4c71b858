"""The record of how a result came about: code digests and versions."""

import ast
import functools
import hashlib
import importlib.metadata
import platform
from pathlib import Path

from crossz.files import atomic_path  # noqa: F401  (temporary)

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
    todo = [_source(f"crossz.{name}") for name in modules]
    while todo:
        source = todo.pop()
        if source not in found:
            found.add(source)
            todo.extend(_imports(source))
    return found


@functools.cache
def _imports(source: Path) -> list[Path]:
    package = ".".join(("crossz", *source.relative_to(PACKAGE).parent.parts))
    names: list[str] = []
    for node in ast.walk(ast.parse(source.read_text(), filename=str(source))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join(parts[: len(parts) - node.level + 1] + ([base] if base else []))
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    sources = {_source(name) for name in names if name.split(".")[0] == "crossz"}
    return sorted(source for source in sources if source)


def _source(name: str) -> Path | None:
    path = PACKAGE.joinpath(*name.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def versions(*distributions: str) -> dict[str, str]:
    """Installed versions of Python and of `distributions`, for the record of a run."""
    installed = {"python": platform.python_version()}
    return installed | {name: importlib.metadata.version(name) for name in distributions}
