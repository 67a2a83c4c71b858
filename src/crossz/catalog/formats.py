"""What kind of table a file is, by its first bytes, and how a table of text is laid out. It needs nothing but Python.

A name's suffix is a hint only: people have tables of text under all names, and compressed ones.
"""

import contextlib
import csv
import gzip
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import refusing
from crossz.core.text import printable

STDIN = "-"
"""The name of a table that comes through a pipe."""
SUFFIXES = {".fits": "fits", ".fit": "fits", ".parquet": "parquet", ".vot": "votable", ".xml": "votable"}
"""Suffixes under which no text is expected."""
_HEAD = 1 << 20  # bytes from which a layout is read
_LARGEST = 64 << 30  # bytes of an unpacked table
_MOST_SHRUNK, _FREE = 200, 1 << 30  # times that a table shrinks by gzip, and bytes that any one may have
_SEPARATORS = ",\t;|"
_VALUE = re.compile(r"\s*[+-]?((\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?|\d+[: ]\d+[: ][\d.]+)\s*")  # no name looks so
_COMMENT = re.compile(r"#|\"?sep=.\"?$")  # the latter is for Excel alone
_OTHERS = {
    b"PK\x03\x04": "a zip archive, or a sheet of Excel",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\x1f\x9d": "compressed by compress",
    b"%PDF": "a PDF",
    b"\x89HDF": "an HDF5 file",
    b"SQLite": "an SQLite database",
}
_OTHER_TEXTS = {
    rb"(?is).{,1000}<(!doctype\s+)?html\b": "an HTML page, as servers send them instead of a table",
    rb"(?is)<(?!.*<?([\w.]+:)?votable\b)": "XML or HTML, and no VOTable",
    rb"\[?\s*\{": "JSON",
    rb"\\(begin|documentclass)\b": "LaTeX",
    rb"(?sm).{,300}^\+[-=+]+\+\s": "a table drawn with lines",
}
_KINDS = {
    rb"<": "votable",
    rb"# %ECSV": "ecsv",
    rb"(?sm).*^Byte-by-byte Description of file": "mrt",
    rb"\\|(\|.*\n){1,4}[^|]": "ipac",  # whose rows have no bars
}


class Field(NamedTuple):
    """A column as its file has it: its name, and its unit and UCD where the file says them."""

    name: str
    unit: str = ""
    ucd: str = ""
    description: str = ""


def with_bands(fields: list[Field], arrays: list[bool]) -> list[Field]:
    """The columns of a table and, of each that has an array of five values a row, PSFMAG[u] ... PSFMAG[z] behind them."""
    of_bands = [
        field._replace(name=f"{field.name}[{band}]")
        for field, is_array in zip(fields, arrays, strict=True)
        if is_array
        for band in BANDS
    ]
    return [*fields, *of_bands]


class Layout(NamedTuple):
    """How a table of text is laid out."""

    fields: list[Field]
    separator: str
    """One character; a blank stands for any number of them."""
    skip: int
    """Lines before the first row."""


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[tuple[Path, str]]:
    """A file that is about to be read as a table, and its kind (`kind_of`): `path`, or a temporary file.

    It is temporary if it comes through a pipe (`-`), or is unpacked from gzip. Whatever refuses its bytes meanwhile
    becomes one line.

    Raises
    ------
    CrosszError
        There is no such file, or its bytes are no table.
    """
    with reading_of(path), plain(Path(path)) as file:
        yield file, kind_of(file)


@contextlib.contextmanager
def reading_of(path: str | Path) -> Iterator[None]:
    """Whatever refuses the bytes of the table `path` meanwhile becomes a CrosszError of one line."""
    suffixes = [suffix for suffix in Path(path).suffixes if suffix != ".gz" and suffix[1:].isalnum()]
    what = f"not a readable {suffixes[-1] if suffixes else 'CSV'} table"
    try:
        with refusing(what):
            yield
    except Refused as error:
        raise CrosszError(f"{path}: {error if str(error).startswith(what) else f'{what}: {error}'}") from error


@contextlib.contextmanager
def plain(path: Path) -> Iterator[Path]:
    """The file of a table itself; a temporary one of what comes through a pipe, or is unpacked from gzip.

    Raises
    ------
    Refused
        It has no bytes, or its gzip is damaged.
    CrosszError
        There is no such file.
    """
    if str(path) != STDIN and not path.is_file():
        raise CrosszError(f"{path}: no such file" + ("; it is a folder" if path.is_dir() else ""))
    with contextlib.ExitStack() as stack:
        if str(path) == STDIN:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            with open(folder / "stdin", "wb") as target:
                shutil.copyfileobj(sys.stdin.buffer, target)
            path = folder / "stdin"
        if _head(path, 2) == b"\x1f\x8b":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _unpack(path, folder / path.stem)
            path = folder / path.stem
        if not path.stat().st_size:
            raise Refused("it has 0 bytes")
        yield path


def _unpack(path: Path, target: Path) -> None:
    size, most = 0, min(_LARGEST, max(_FREE, _MOST_SHRUNK * path.stat().st_size))
    try:
        with gzip.open(path) as source, open(target, "wb") as unpacked:
            while part := source.read(1 << 20):
                size += len(part)
                if size > most:
                    raise Refused(f"more than {most:,} bytes when unpacked; no table shrinks so much")
                unpacked.write(part)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Refused(f"its gzip is cut or damaged ({error})") from error


def _head(path: Path, count: int = _HEAD) -> bytes:
    with open(path, "rb") as handle:
        return handle.read(count)


def kind_of(path: Path) -> str:
    """What a file is: fits, parquet, votable, ecsv, ipac, mrt (machine-readable, of AAS and CDS) or text.

    Raises
    ------
    Refused
        It is none of them. The message says what was found.
    """
    begin = _head(path, 1 << 14)
    if begin.startswith(b"PAR1"):
        return "parquet"
    if begin.startswith(b"SIMPLE  ="):
        return "fits"
    what = next((what for magic, what in _OTHERS.items() if begin.startswith(magic)), None)
    if what is None and begin.startswith((b"\xff\xfe", b"\xfe\xff")):
        what = "text in UTF-16, not in UTF-8"
    if what is None and b"\0" in begin:
        what = "no text, and none of FITS, VOTable and Parquet"
    text = begin.removeprefix(b"\xef\xbb\xbf").lstrip()
    what = what or next((what for pattern, what in _OTHER_TEXTS.items() if re.match(pattern, text)), None)
    if what is not None:
        raise Refused(f"{what}; save it as CSV, FITS, VOTable, ECSV or Parquet")
    kind = next((kind for pattern, kind in _KINDS.items() if re.match(pattern, text)), "text")
    expected = SUFFIXES.get(path.suffix.lower())
    if expected not in (None, kind):
        begin_of = printable(text.split(b"\n", 1)[0].decode("utf-8", "replace"), 40)
        raise Refused(f"a file of text, which begins '{begin_of}'")
    return kind


def layout(path: Path) -> Layout:
    """How a table of text is laid out: CSV, TSV, separated by ; or | or blanks; with comments in front.

    The names stand in the first line that is no comment, or in the last comment if the first line holds numbers. A
    line of units and one of dashes may follow, as VizieR writes them.

    Raises
    ------
    Refused
        It has no line with names.
    """
    begin = _head(path)
    whole = begin if len(begin) < _HEAD else begin[: begin.rfind(b"\n") + 1]
    try:
        lines = whole.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        near = printable(whole[max(error.start - 20, 0) : error.start + 1].decode("latin-1"), 40)
        raise Refused(f"text that is not UTF-8, at '{near}'; save it in UTF-8 (Excel: 'CSV UTF-8')") from error
    first = next((number for number, line in enumerate(lines) if line.strip() and not _COMMENT.match(line)), None)
    comments = [line for line in lines[:first] if line.strip()]
    if first is None:
        named = _fields(comments[-1].lstrip("#").strip())[0] if comments else []
        raise Refused(
            f"no rows, only a comment with {', '.join(named)}" if len(named) > 1 else "no line with names of columns"
        )
    names, separator = _fields(lines[first])
    if any(_VALUE.fullmatch(name) for name in names):
        named = _named_in_comments(comments, len(names))
        if not named:
            line = printable(lines[first], 60)
            raise Refused(f"its first line '{line}' holds numbers; put a line with the names of the columns above it")
        return Layout([Field(name) for name in named], separator, first)
    units, skip = [""] * len(names), first + 1
    for dashes in range(first + 1, min(first + 3, len(lines))):
        if re.fullmatch(rf"[-{re.escape(separator)} ]*--[-{re.escape(separator)} ]*", lines[dashes]):
            given = next(csv.reader([lines[first + 1]], delimiter=separator)) if dashes > first + 1 else []
            units = [*given, *units][: len(names)]
            skip = dashes + 1
    if not any(line.strip() for line in lines[skip:]) and len(begin) < _HEAD:
        raise Refused(f"no rows, only a header: {printable(', '.join(names), 200)}")
    fields = [
        Field(name.strip() or f"column_{number}", unit.strip())
        for number, (name, unit) in enumerate(zip(names, units, strict=True), 1)
    ]
    return Layout(fields, separator, skip)


def _fields(line: str) -> tuple[list[str], str]:
    """The fields of a line, and what separates them."""
    split = {separator: next(csv.reader([line], delimiter=separator)) for separator in _SEPARATORS}
    separator = max(split, key=lambda separator: len(split[separator]))
    if len(split[separator]) > 1:
        return split[separator], separator
    words = line.split()
    return (words, " ") if len(words) > 1 and '"' not in line else (split[","], ",")


def _named_in_comments(comments: list[str], count: int) -> list[str]:
    """The names of `count` columns out of comments, as TOPCAT, SExtractor and LePHARE write them; none if they are not there."""
    last = _fields(comments[-1].lstrip("#").strip())[0] if comments else []
    if len(last) == count:
        return [name.strip() for name in last]
    numbered = re.findall(r"^#\s*(\d+)\s+(\S+)", "\n".join(comments), re.MULTILINE)
    pairs = re.findall(r"([A-Za-z_][\w()]*)\s+(\d+)\s*(?:,|$|#)", "\n".join(comments), re.MULTILINE)
    for found in (numbered, [(number, name) for name, number in pairs]):
        if [int(number) for number, _ in found] == list(range(1, count + 1)):
            return [name for _, name in found]
    return []
