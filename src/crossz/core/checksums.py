"""The checksum of every file that a job made, kept beside the results, so that every reader knows whether it is still that one.

`results/.checksums/plan/0000.parquet.sha256` is of `results/plan/0000.parquet`. It has a line for each file, as `sha256sum -c`
reads them. No rule declares these files: they change no result and rerun nothing.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from crossz.core.errors import CrosszError, fail_if
from crossz.core.files import atomic_path, sha256
from crossz.core.foreign import read_file

FOLDER = ".checksums"
STAMP = ".snakemake_timestamp"
"""What the engine puts into a folder that a job made."""
_SUFFIX = ".sha256"
_MOST = 1 << 30  # bytes of a file of checksums: those of some million files
_HEADER = "# files: {}\n"
_TEXT = re.compile(r"# files: (\d+)\n((?:[0-9a-f]{64}  [^\n]+\n)*)")


class Checksum(NamedTuple):
    """One file as its job wrote it."""

    path: Path
    sha256: str
    output: Path
    """What to delete so that the job runs again: the file, or the folder that it was made in."""

    def problem(self) -> str | None:
        """What is wrong with the file as it lies on disk; None: nothing."""
        if not self.path.is_file():  # a pipe or a device may never end
            what = "not a regular file" if os.path.lexists(self.path) else "gone"
            return f"{self.path}: {what}; {_remedy(self.output)}"
        if sha256(self.path) != self.sha256:
            return f"{self.path}: damaged since its job wrote it; {_remedy(self.output)}"
        return None


def note(outputs: Iterable[str | Path]) -> None:
    """Write down the checksums of what a job has made: files, or folders of files. What is not in a folder results is left out."""
    for output in map(Path, outputs):
        if (noted := path_of(output)) is not None:
            made = files_of(output)
            lines = [f"{sha256(path)}  {path.as_posix()}\n" for path in made]
            with atomic_path(noted) as temporary:
                temporary.write_text(_HEADER.format(len(made)) + "".join(lines))


def forget(outputs: Iterable[str | Path]) -> None:
    """Delete the checksums of what a job is about to make."""
    for output in outputs:
        if (noted := path_of(output)) is not None:
            noted.unlink(missing_ok=True)


def check(inputs: Iterable[str | Path]) -> None:
    """Hash what a job reads, and compare with what was written; a file that has no checksum passes.

    Raises
    ------
    CrosszError
        A file is not as its job wrote it: all of them are listed, with the remedy.
    """
    problems = []
    for given in map(Path, inputs):
        noted = path_of(given)
        if noted is None or not os.path.lexists(noted):
            continue
        found = (sum_.problem() for sum_ in read(noted, given))
        problems += [f"{problem} (or {noted}, if you put the file there)" for problem in found if problem]
    if len(problems) == 1:
        raise CrosszError(problems[0])
    fail_if(problems, "inputs")


def of_results(inputs: Iterable[str | Path]) -> list[str]:
    """Those of a job's inputs that lie in the folder results."""
    return [str(given) for given in inputs if path_of(given) is not None]


def unnoted(inputs: Iterable[str | Path]) -> list[str]:
    """Those of them without a checksum: nobody knows whether a job made them so."""
    return [given for given in of_results(inputs) if (noted := path_of(given)) is not None and not noted.exists()]


def path_of(output: str | Path) -> Path | None:
    """Where the checksums of an output are; None: it lies in no folder results."""
    path = Path(output)
    if path.is_absolute() or len(path.parts) < 2 or path.parts[0] != "results":
        return None
    return Path(path.parts[0], FOLDER, *path.parts[1:-1], f"{path.name}{_SUFFIX}")


def files_of(output: Path) -> list[Path]:
    """An output's files, sorted: itself, or all that lie in it."""
    if not output.is_dir():
        return [output]
    return sorted(path for path in output.rglob("*") if path.is_file() and path.name != STAMP)


def read(noted: Path, output: Path) -> list[Checksum]:
    """The checksums of an output. Raises CrosszError where the file that holds them is damaged itself."""
    try:
        found = _TEXT.fullmatch(read_file(noted, _MOST).decode())
    except ValueError:
        found = None
    lines = found[2].splitlines() if found else []
    sums = [Checksum(Path(line[66:]), line[:64], output) for line in lines]
    if found is None or int(found[1]) != len(sums) or not all(output in (s.path, *s.path.parents) for s in sums):
        raise CrosszError(f"{noted}: damaged; delete it and {output}, and rerun")
    return sums


def all_noted() -> Iterator[tuple[Path, Path]]:
    """(file of checksums, output) of all that lies in the folder results."""
    folder = Path("results", FOLDER)
    for noted in sorted(folder.rglob(f"*{_SUFFIX}")):
        if not noted.name.startswith("."):  # a killed writer's
            yield noted, Path("results", noted.relative_to(folder)).with_name(noted.name.removesuffix(_SUFFIX))


def _remedy(output: Path) -> str:
    return f"delete {output} and rerun"
