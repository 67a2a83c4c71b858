"""Spectra of one shard's objects: from a folder in the archive's layout, or fetched from the Science Archive Server."""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from crossz.archive.http import Client, Denied, Missing, limits
from crossz.archive.sas import Place, fetch_spectrum
from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.sdss.spectra import Coadd, SpectrumID, check, read, spectrum_path

log = logging.getLogger(__name__)


class Spectra:
    """The spectra that `place` has, several fetched at once, in the order asked for.

    `cache`: where fetched spectra wait until their shard is done, so that a killed job does not fetch them again (unless
    `place` keeps them). Raises CrosszError when there is neither a folder nor an archive.
    """

    def __init__(self, cache: str | Path, place: Place):
        self._archive = place.archive if place.archive and place.archive["sas"] else None
        if place.root is None and self._archive is None:
            raise CrosszError("there are no spectra on disk and no archive to ask; set mml.run: false")
        self._folders = [Path(folder) for folder in (place.root, cache) if folder is not None]
        self._own = Path(place.root if place.keep else cache)
        self._client = Client(limits(self._archive)) if self._archive else None
        self._threads = ThreadPoolExecutor(self._archive["connections"] if self._archive else 1)

    def __enter__(self) -> "Spectra":
        return self

    def __exit__(self, *error: object) -> None:
        if self._client:
            self._client.__exit__()
        self._threads.shutdown(cancel_futures=True)

    def __call__(self, wanted: Sequence[SpectrumID]) -> Iterator[Coadd | None]:
        """The pixels of each spectrum, None where the archive has none.

        Raises CrosszError for a file that is damaged on disk, or cannot be fetched whole from any mirror.
        """
        return self._threads.map(self._get, wanted)

    def _get(self, one: SpectrumID) -> Coadd | None:
        for folder in self._folders:
            if (path := spectrum_path(folder, *one)).exists():
                return read(path)
        if self._client is None:
            return None
        name = spectrum_path("", *one).name
        try:
            body = fetch_spectrum(self._client, self._archive["sas"], *one)
        except Missing:
            log.info(f"{name}: the archive has no such spectrum (404)")
            return None
        except Denied as error:
            raise CrosszError(f"{name}: {error}; is archive.sas a public mirror?") from error
        with atomic_path(spectrum_path(self._own, *one)) as temporary:
            temporary.write_bytes(body)
        return check(body, *one[:3])
