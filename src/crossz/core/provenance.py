"""How a result came about: digests of the code that made it, and versions."""

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1]

_LONG = r"{0}{0}{0}[^{0}\\]*(?:(?:\\.|{0}(?!{0}{0}))[^{0}\\]*)*{0}{0}{0}"
_SHORT = r"{0}(?:[^{0}\\\n]|\\.)*{0}"
_STRINGS = [pattern.format(quote) for pattern in (_LONG, _SHORT) for quote in "\"'"]
_STRING_OR_COMMENT = re.compile("|".join([*_STRINGS, r"#[^\n]*"]), re.DOTALL)
_STOWED = re.compile(r'"(\d+)"')
_DOCSTRING = re.compile(r'[rRuU]?"\d+"')
_FOR_TYPES = re.compile(r"if (?:typing\.)?TYPE_CHECKING:")
_FROM = re.compile(r"from\s*(\.*)\s*([\w.]*)\s*import\b(.*)")
_IMPORT = re.compile(r"import\b(.*)")


class _Source(NamedTuple):
    meaning: str  # what the file does, as text
    imports: tuple[Path, ...]  # files of the package that it imports


def code_digest(*modules: str) -> str:
    """Digest of what `modules` and every crossz module that they import, at any depth, do.

    Snakemake does not see a change in an imported module. As a rule's `params` this digest makes it rerun exactly the
    rules whose code changed. Comments, docstrings, blank lines and blocks `if TYPE_CHECKING:` do not count.
    The templates that a module `templating` fills do.

    Parameters
    ----------
    *modules
        Names inside the package: "images.cutouts", "archive.sql".

    Returns
    -------
    str
        Twelve hexadecimal digits, the same with every version of Python.

    Raises
    ------
    ModuleNotFoundError
        There is no such module.
    """
    digest = hashlib.sha256()
    for source in sorted(closure(*modules)):
        digest.update(source.relative_to(PACKAGE).as_posix().encode())
        digest.update(_read(source).meaning.encode())
        for template in sorted(source.parent.glob("templates/*")) if source.name == "templating.py" else ():
            digest.update(template.read_bytes())
    return digest.hexdigest()[:12]


def closure(*modules: str) -> set[Path]:
    """The files of `modules` and of every crossz module that they import, at any depth, the package's own apart."""
    files: set[Path] = set()
    todo = [source for name in modules for source in _sources(f"crossz.{name}", must_exist=True)]
    while todo:
        source = todo.pop()
        if source not in files:
            files.add(source)
            todo.extend(_read(source).imports)
    return files


def forget() -> None:
    """Read files anew in the next digest: each is read once a process."""
    _read.cache_clear()


@functools.cache
def _read(source: Path) -> _Source:
    # The text itself, and neither Python's tokens nor its tree: they differ from version to version, and they cost a second
    # at each parse of the workflow. Strings are put aside, so that what follows may look at the code alone.
    strings: list[str] = []

    def stow(match: re.Match) -> str:
        if match[0][0] == "#":
            return ""
        strings.append(match[0])
        return f'"{len(strings) - 1}"'

    code = _STRING_OR_COMMENT.sub(stow, source.read_text(encoding="utf-8"))
    lines = list(_meaningful(_logical_lines(code), docstrings="__doc__" in code))
    package = ("crossz", *source.relative_to(PACKAGE).parent.parts)
    imported = [path for line in lines for name in _imports(line, package) for path in _sources(name)]
    meaning = _STOWED.sub(lambda match: strings[int(match[1])], "\n".join(lines))
    return _Source(meaning, tuple(dict.fromkeys(imported)))


def _logical_lines(code: str) -> Iterator[str]:
    # Lines as the grammar has them: to the end of an open bracket, and over a backslash. Without blank lines.
    line = ""
    for part in code.split("\n"):
        line = f"{line} {part.strip()}".rstrip() if line else part.rstrip()
        if line.endswith("\\"):
            line = line[:-1].rstrip()
        elif line and sum(map(line.count, "([{")) == sum(map(line.count, ")]}")):
            yield line
            line = ""


def _meaningful(lines: Iterator[str], docstrings: bool) -> Iterator[str]:
    # Without what only type checkers read, and without docstrings (statements that are a string and no more) unless
    # `docstrings`: the module uses them. A body that was nothing else is `pass`, so that the text remains Python.
    header: str | None = None  # a line that ends with a colon, before the first line of its body
    checked: str | None = None  # `if TYPE_CHECKING:`, in its body
    for line in lines:
        if checked is not None:
            if _indent(line) > _indent(checked):
                continue
            if line.lstrip().startswith(("else:", "elif ")):
                yield checked
                header = checked
            checked = None
        if not docstrings and _DOCSTRING.fullmatch(line.lstrip()):
            continue
        if header is not None and _indent(line) <= _indent(header):
            yield f"{' ' * _indent(header)}    pass"
        header = None
        if _FOR_TYPES.fullmatch(line.lstrip()):
            checked = line
            continue
        if line.endswith(":"):
            header = line
        yield line
    if header is not None:
        yield f"{' ' * _indent(header)}    pass"


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _imports(line: str, package: tuple[str, ...]) -> Iterator[str]:
    # Names of modules of ours that a line may import: `from a import b` is of a.b too, where that is a module.
    if "import" not in line:
        return
    for statement in re.split("[;:]", line):
        text = statement.strip()
        if match := _FROM.match(text):
            above = package[: len(package) - len(match[1]) + 1] if match[1] else ()
            base = ".".join([*above, match[2]] if match[2] else above)
            if base.split(".")[0] == "crossz":
                yield base
                yield from (f"{base}.{name}" for name in _named(match[3]))
        elif match := _IMPORT.match(text):
            yield from (name for name in _named(match[1]) if name.split(".")[0] == "crossz")


def _named(text: str) -> list[str]:
    return [part.split()[0] for part in text.strip(" ()").split(",") if part.strip()]


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
    """Versions of Python and of `distributions`, "absent" where this environment lacks one, for the run record."""
    known = {"python": platform.python_version()}
    for name in distributions:
        try:
            known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            known[name] = "absent"
    return known
