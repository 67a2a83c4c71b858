"""Spectra of one shard's objects: from a folder in the archive's layout, or fetched from the Science Archive Server."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from crossz.archive.frame_bytes import REMEDY
from crossz.archive.http import Client, limits
from crossz.archive.journal import release
from crossz.archive.place import Place, place_of
from crossz.archive.responses import Denied, Missing, Reply
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.images import spectra as images_spectra
from crossz.sdss.spectra import MOST, Coadd, SpectrumID, check, read, spectrum_path

log = logging.getLogger(__name__)

_LOOKS = 4  # downloads of a file of which two have to be alike, two of each mirror and at least these


class Spectra:
    """The spectra that `place` has, several fetched at once, in the order asked for.

    Parameters
    ----------
    cache
        Where fetched spectra wait until their shard is done, so that a killed job does not fetch them again (unless
        `place` keeps them).
    place
        Where spectra come from.

    Raises
    ------
    errors.CrosszError
        There is neither a folder nor an archive.
    """

    def __init__(self, cache: str | Path, place: Place):
        archive = place.archive if place.archive and place.archive["sas"] else None
        if place.root is None and archive is None:
            raise CrosszError("there are no spectra on disk and no archive to ask; set mml.datasets: []")
        self._folders = [Path(folder) for folder in (place.root, cache) if folder is not None]
        self._own = Path(place.root if place.keep and place.root is not None else cache)
        self._client = Client(limits(archive)) if archive else None
        self._mirrors: list[str] = archive["sas"] if archive else []
        self._threads = ThreadPoolExecutor(archive["connections"] if archive else 1)

    def __enter__(self) -> "Spectra":
        return self

    def __exit__(self, *error: object) -> None:
        if self._client:
            self._client.close()
        self._threads.shutdown(cancel_futures=True)

    def __call__(self, wanted: Sequence[SpectrumID]) -> Iterator[Coadd | None]:
        """The pixels of each spectrum, None where the archive has none.

        Raises
        ------
        errors.CrosszError
            A file is damaged on disk, or cannot be fetched undamaged from any mirror.
        """
        return self._threads.map(self._get, wanted)

    def _get(self, spectrum: SpectrumID) -> Coadd | None:
        for folder in self._folders:
            if (path := spectrum_path(folder, *spectrum)).exists():
                return read(path)
        if self._client is None:
            return None
        name = spectrum_path("", *spectrum).name
        try:
            body = fetch_spectrum(self._client, self._mirrors, spectrum)
        except Missing:
            log.info(f"{name}: the archive has no such spectrum (404)")
            return None
        except Denied as error:
            raise CrosszError(f"{name}: {error}; is archive.sas a public mirror?") from error
        with atomic_path(spectrum_path(self._own, *spectrum)) as temporary:
            temporary.write_bytes(body)
        return check(body, *spectrum[:3])


def fetch_spectrum(client: Client, mirrors: Sequence[str], spectrum: SpectrumID) -> bytes:
    """The bytes of a lite spectrum, checked and seen twice alike, since SDSS gives these files no checksum.

    Raises
    ------
    responses.Missing
        No mirror has it.
    errors.CrosszError
        No two of the answers agree.
    """
    name = spectrum_path("", *spectrum).as_posix()
    urls = [f"{mirror.rstrip('/')}/{name}" for mirror in mirrors]

    def accept(reply: Reply) -> bytes:
        check(reply.body, *spectrum[:3])
        return bytes(reply.body)

    seen: list[bytes] = []
    for look in range(max(_LOOKS, 2 * len(urls))):
        first = look // 2 % len(urls)  # a mirror that says something else each time is not asked alone
        body = client.fetch(urls[first:] + urls[:first], Path(name).name, accept, REMEDY, most=MOST)
        if body in seen:
            return body
        seen.append(body)
    raise CrosszError(f"{name}: {len(seen)} downloads, no two alike. {REMEDY}")


def write_spectra(
    *,
    plan: str | Path,
    catalogs: Sequence[str | Path],
    folder: str | None,
    spectra: str | Path,
    counts: str | Path,
    cache: str | Path,
    config: dict[str, Any],
) -> None:
    """Put the spectra of one shard's objects, from `config`'s place, on the common grid.

    Parameters
    ----------
    plan, catalogs
        Paths of the shard's plan, and of the catalogs that say which spectrum an object has.
    folder
        The folder that a rule has filled with spectra, if there is one.
    spectra, counts
        Written by images.spectra.write_spectra.
    cache
        Where fetched spectra wait; deleted at the end.
    config
        The configuration.
    """
    with Spectra(cache, place_of(config, folder)) as source:
        images_spectra.write_spectra(plan=plan, catalogs=catalogs, spectra=spectra, counts=counts, source=source)
        release(cache)
