"""The folder of a bundle: its files and their checksums.

    SHA256SUMS           the digest of every other file, as `sha256sum -c` reads it
    bundle.json          network, scalers, temperatures, training domain, how it was made, and a probe
    split-0.safetensors  weights of the networks of each split
    trees-0.safetensors  the trees of each split, if the networks are part of a stack
    domain.safetensors   objects that the distance of new ones is measured from
    card.md              the model card, for people

The checksums protect against damage and confusion. Somebody who forges a bundle can write checksums that match. To detect
a forgery, compare the `fingerprint` with one that was published elsewhere. Nothing in a bundle is executed or unpickled.
Hidden files, which some systems leave in folders, are ignored. This module needs no torch.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from crossz.apply.networks import place_of
from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, Refused, fail_if
from crossz.core.files import atomic_path, sha256
from crossz.core.foreign import read_file, refusing
from crossz.core.text import printable
from crossz.core.version import VERSION

FORMAT = 3
"""Of the folder. A change that older code cannot read gets another number."""
OLDER = (2,)
"""Formats that can still be read: 2 has no trees."""
SUMS, FACTS, CARD = "SHA256SUMS", "bundle.json", "card.md"
DOMAIN = "domain.safetensors"


LARGEST_TEXT, LARGEST_WEIGHTS = 4 << 20, 8 << 30
"""Bytes of a file of a bundle: text, whose largest has some 30 kB, and weights."""
BOUNDS = {
    "image_mlp_layers": (1, 4),
    "attention_layers": (1, 12),
    "hidden_layers": (1, 12),
    "components": (1, 20),
    "dropout": (0, 1),
}
"""Least and largest values of settings of `crossmodal` that decide how large a network is, as in the configuration's schema."""
_KINDS = {"domain": dict, "domain.objects": int, "domain.features": dict, "domain.features.z": list, "made": dict, "made.versions": dict, "ensemble": dict, "ensemble.scores": dict}  # fmt: skip
_MOST_OBJECTS = 10**12  # of the training
_MOST_NAMES = 1000
_MOST_SHRUNK = 20  # times that a bundle is larger than its zip file: weights hardly shrink, text some five times
_MALFORMED = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)
_PHOTOMETRY = {"dered_model": ("dered", "psfMagErr"), "psf": ("psfMag", "psfMagErr", "extinction")}


def table_columns(magnitudes: str, extra_columns: Sequence[str] = ()) -> list[str]:
    """Columns that a table of targets must have.

    Parameters
    ----------
    magnitudes
        The magnitudes that the networks read: dered_model or psf.
    extra_columns
        Extra columns of the catalog that they read.
    """
    return [*(f"{kind}_{band}" for kind in _PHOTOMETRY[magnitudes] for band in BANDS), *extra_columns]


def write(folder: str | Path, files: dict[str, bytes]) -> None:
    """Write a bundle with its checksums. An older bundle is replaced by a complete new one, or stays.

    Parameters
    ----------
    folder
        The folder to write.
    files
        The content of each file, by name.

    Raises
    ------
    CrosszError
        The folder holds something else than a bundle.
    """
    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and ((folder / SUMS).is_file() or not any(folder.iterdir()))):
        raise CrosszError(f"{folder}: there is something else than a bundle; name another folder")
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        sums = _sums({name: hashlib.sha256(content).hexdigest() for name, content in files.items()})
        for name, content in (files | {SUMS: sums.encode()}).items():
            with open(temporary / name, "wb") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _sums(digests: dict[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def check(folder: str | Path) -> dict[str, Any]:
    """Check every byte of a bundle against its checksums.

    Parameters
    ----------
    folder
        The bundle.

    Returns
    -------
    dict
        The content of bundle.json.

    Raises
    ------
    CrosszError
        The folder is no bundle, or has a format that this version of crossz cannot read. Or files are missing, do not
        belong there, or have other bytes; all of them are listed.
    """
    folder = Path(folder)
    if folder.is_file():
        raise CrosszError(f"{folder}: a file; a bundle is a folder: unpack it first (python3 -m zipfile -e {folder} .)")
    if not folder.is_dir():
        raise CrosszError(f"{folder}: no such bundle")
    if not (folder / SUMS).is_file():
        raise CrosszError(f"{folder}: not a crossz bundle: it has no {SUMS}")
    fail_if(_strange(folder), str(folder))
    fail_if(_damage(folder), str(folder))
    try:
        facts = json.loads(read_file(folder / FACTS, LARGEST_TEXT))
        kind, named = facts["format"], {FACTS, CARD, *_named(facts)}
        named |= {DOMAIN} if "reference" in facts["domain"] else set()
    except _MALFORMED as error:
        kind, named = _format(folder / FACTS, error), set()
    if kind not in (FORMAT, *OLDER):
        raise CrosszError(
            f"{folder / FACTS}: a bundle of format {kind!r}; crossz {VERSION} reads format {FORMAT}: "
            "use the crossz that made it, or a newer one"
        )
    if other := named ^ ({path.name for path in _files(folder)} - {SUMS}):
        raise CrosszError(
            f"{folder}: {', '.join(sorted(map(str, other)))}: not what {FACTS} names; get the bundle again"
        )
    fail_if(_impossible(facts), f"{folder / FACTS}")
    return facts


def _named(facts: Mapping[str, Any]) -> list[str]:
    """The files of the splits: weights, and trees where there is a stack."""
    kinds = ("weights", "trees") if "stack" in facts else ("weights",)
    return [split[kind] for split in facts["splits"] for kind in kinds]


@contextlib.contextmanager
def opened(network: str | Path) -> Iterator[Path]:
    """The folder of a bundle, or where its zip file (`pack`) is unpacked for a while.

    Parameters
    ----------
    network
        A name, a folder or a zip file: see `networks.place_of`.

    Raises
    ------
    CrosszError
        There is no such bundle. Or a zip file is damaged, or holds something else than the files of one folder.
    """
    path = place_of(network)
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with refusing("no zip file of a bundle, or a damaged one", (OSError,)), zipfile.ZipFile(path) as source:
                entries = [entry for entry in source.infolist() if not entry.is_dir()]
                names = [entry.filename.split("/") for entry in entries]
                one = len({parts[0] for parts in names}) == 1 and all(len(parts) == 2 for parts in names)
                odd = [parts for parts in names if not all(re.fullmatch(r"\w[\w.+-]*", part) for part in parts)]
                if not one or odd or len(entries) > _MOST_NAMES:
                    raise CrosszError(f"{path}: a zip file of something else than one bundle")
                total = sum(entry.file_size for entry in entries)
                if total > _MOST_SHRUNK * Path(path).stat().st_size:
                    raise CrosszError(f"{path}: it would fill {total:,} bytes; no bundle shrinks so much")
                for entry, (_, name) in zip(entries, names, strict=True):
                    most = LARGEST_WEIGHTS if name.endswith(".safetensors") else LARGEST_TEXT
                    if entry.file_size > most:
                        raise CrosszError(f"{path}: {name}: {entry.file_size:,} bytes are too many")
                    with source.open(entry) as packed, open(Path(scratch) / name, "wb") as target:
                        shutil.copyfileobj(packed, target)
        except Refused as error:
            raise CrosszError(f"{path}: {error}; get it again") from error
        yield Path(scratch)


def _strange(folder: Path) -> list[str]:
    """Files that no bundle has: links, which would show other files, folders, and what is too large."""
    problems = []
    for path in _files(folder):
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            problems.append(f"{path.name}: a link, a folder or a device; a bundle has files only")
        elif status.st_size > (LARGEST_WEIGHTS if path.suffix == ".safetensors" else LARGEST_TEXT):
            problems.append(f"{path.name}: {status.st_size:,} bytes are too many")
    return problems


def _impossible(facts: Mapping[str, Any]) -> list[str]:
    """What no settings of crossz have: without splits, beyond the bounds of the configuration's schema, or odd names."""
    problems = [] if isinstance(facts["splits"], list) and facts["splits"] else ["splits: there is none"]
    network = facts.get("crossmodal")
    network = network if isinstance(network, dict) else {}
    for name, (least, most) in BOUNDS.items():
        value = network.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            problems.append(f"crossmodal.{name}: {printable(str(value), 40)}, wanted {least} to {most}")
    lists = {name: facts.get(name) or () for name in ("classes", "columns")}
    lists |= {"dataset": [facts.get("dataset", "a")], "network": [facts.get("network", "a")]}
    for name, texts in lists.items():
        if not isinstance(texts, list | tuple) or len(texts) > _MOST_NAMES or not all(map(_is_name, texts)):
            problems.append(f"{name}: names have up to 64 letters, digits and the signs _ + - . :")
    return problems + _misshapen(facts)


def _misshapen(facts: Mapping[str, Any]) -> list[str]:
    """Parts of another kind than crossz writes. A part may be absent."""
    problems = []
    for path, kind in _KINDS.items():
        value: Any = facts
        for name in path.split("."):
            value = value.get(name, kind()) if isinstance(value, dict) else kind()
        numbers = value if kind is list and isinstance(value, list) else []
        if not isinstance(value, kind) or not all(isinstance(number, int | float) for number in numbers):
            problems.append(f"{path}: {printable(str(value), 40)}, wanted {kind.__name__}")
    return problems or _beyond(facts)


def _beyond(facts: Mapping[str, Any]) -> list[str]:
    """Numbers about the training that cannot be, of facts whose parts are of the right kind."""
    domain, scores = facts["domain"], facts.get("ensemble", {}).get("scores", {})
    problems = []
    if "objects" not in domain or not 0 <= domain["objects"] <= _MOST_OBJECTS:
        problems.append("domain.objects: no number of objects")
    for inputs, values in scores.items():
        if not isinstance(values, dict) or not all(isinstance(value, int | float) for value in values.values()):
            problems.append(f"ensemble.scores: {printable(inputs, 40)}: no numbers")
    return problems


def _is_name(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"\w[\w+.:-]{0,63}", text) is not None


def _damage(folder: Path) -> list[str]:
    """What is wrong with the files, one line each."""
    text = (folder / SUMS).read_bytes().decode("ascii", "replace")
    listed = {name: digest for digest, name in re.findall(r"^([0-9a-f]{64})  ([\w.-]+)$", text, re.MULTILINE)}
    problems = []
    if _sums(listed) != text:
        problems.append(f"{SUMS}: damaged")
    here = {path.name for path in _files(folder)} - {SUMS}
    for name in sorted(here | listed.keys()):
        if name not in here:
            problems.append(f"{name}: missing")
        elif name not in listed:
            problems.append(f"{name}: does not belong to the bundle")
        elif not (folder / name).is_file() or sha256(folder / name) != listed[name]:
            problems.append(f"{name}: not the bytes that the bundle was made with")
    if problems:
        problems[-1] += "\nget the bundle again, or make it again"
    return problems


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _format(path: Path, error: Exception) -> Any:
    # A newer format may lack what this format needs. Then its number is the better reason.
    try:
        kind = json.loads(path.read_bytes())["format"]
    except _MALFORMED:
        kind = FORMAT
    if kind == FORMAT:
        raise CrosszError(f"{path}: not a crossz bundle's, or cut: {error!r}; get the bundle again") from error
    return kind


def fingerprint(folder: str | Path) -> str:
    """The digest of a bundle: that of its checksums. Equal bundles have equal fingerprints. Publish it with the bundle."""
    return sha256(Path(folder) / SUMS)


def pack(*, bundle: str | Path, archive: str | Path) -> None:
    """Check a bundle and write it as one zip file. Equal bundles give equal bytes: files are sorted and have no dates."""
    folder = Path(bundle)
    check(folder)
    with atomic_path(archive) as temporary, zipfile.ZipFile(temporary, "w") as target:
        for file in _files(folder):
            entry = zipfile.ZipInfo(f"{folder.name}/{file.name}")
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # as Unix writes it, wherever this runs
            target.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 9)
