"""The folder of a bundle: its files and their checksums.

    SHA256SUMS           the digest of every other file, as `sha256sum -c` reads it
    bundle.json          network, scalers, temperatures, training domain, how it was made, and a probe
    split-0.safetensors  weights of the networks of each split
    card.md              the model card, for people

The checksums protect against damage and confusion. Somebody who forges a bundle can write checksums that match. To detect
a forgery, compare the `fingerprint` with one that was published elsewhere. Nothing in a bundle is executed or unpickled.
Hidden files, which some systems leave in folders, are ignored. This module needs no torch.
"""

import hashlib
import json
import os
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, fail_if
from crossz.core.files import atomic_path, sha256
from crossz.core.version import VERSION

FORMAT = 2
"""Of the folder. A change that older code cannot read gets another number."""
SUMS, FACTS, CARD = "SHA256SUMS", "bundle.json", "card.md"


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
    fail_if(_damage(folder), str(folder))
    try:
        facts = json.loads((folder / FACTS).read_bytes())
        kind, named = facts["format"], {FACTS, CARD, *(split["weights"] for split in facts["splits"])}
    except (OSError, ValueError, TypeError, KeyError) as error:
        kind, named = _format(folder / FACTS, error), set()
    if kind != FORMAT:
        raise CrosszError(
            f"{folder / FACTS}: a bundle of format {kind!r}; crossz {VERSION} reads format {FORMAT}: "
            "use the crossz that made it, or a newer one"
        )
    if other := named ^ ({path.name for path in _files(folder)} - {SUMS}):
        raise CrosszError(f"{folder}: {', '.join(sorted(other))}: not what {FACTS} names; get the bundle again")
    return facts


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
    except (OSError, ValueError, TypeError, KeyError):
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
            target.writestr(entry, file.read_bytes())
