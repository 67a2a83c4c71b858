"""What crossz asks servers for, an honest server, and what is right of its answers."""

import bz2
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import toy_frames
from astropy.io.fits import Header
from astroquery import sdss  # noqa: F401  # no case may import it: it asks what system this is
from helpers import archive

from attacks.harness import ACCEPTED, Case
from attacks.server import Answer, AtOnce, Client, Connection, Server, Urls, answer, asking
from crossz.apply import at, cli
from crossz.archive import casjobs, crossid, doctor, reply, sas, services, sesame, spectra, xmatch
from crossz.archive import http as transport
from crossz.core.errors import CrosszError
from crossz.sdss.frames import Frame, decode, frame_path
from crossz.sdss.spectra import Coadd, SpectrumID, check, spectrum_path
from crossz.sky import fits

LIMITS = {
    "timeout_s": 1.0, "deadline_s": 4, "pause_s": 0.05, "attempts": 2, "query_s": 1.0, "min_rate_kB_s": 5,
}  # fmt: skip
PATIENT_S = 20
"""Deadline where an honest mirror has the file: on a busy machine it must still be reached."""


def _first_rows(raw: bytes, rows: int) -> bytes:
    """A frame without its other rows: real ones, in each answer, would take gigabytes."""
    end = raw.find(b"END".ljust(80)) + 80
    header, begin = Header.fromstring(raw[:end]), end + -end % 2880
    size = 4 * header["NAXIS1"]
    after = begin + (pixels := size * header["NAXIS2"]) + -pixels % 2880
    header["NAXIS2"], header["CRPIX2"] = rows, rows / 2
    return header.tostring().encode() + fits.padded(raw[begin : begin + size * rows]) + raw[after:]


RAW = _first_rows(toy_frames.frame_bytes(), 300)
FRAME = bz2.compress(RAW, 9)
"""The file of a frame."""
FRAME_PATH = frame_path("", toy_frames.FIELD, "r").as_posix()
PIXELS = decode(FRAME, toy_frames.FIELD, "r").data
ROWS = (150, 180)
"""Those that are needed where a part of a frame is fetched."""


def spectrum_bytes(**changes: np.ndarray) -> bytes:
    """The file of a spectrum; `changes`: columns of other values."""
    columns = {"flux": np.ones(2000, ">f4"), "loglam": (3.6 + 1e-4 * np.arange(2000)).astype(">f4"), "ivar": np.full(2000, 4, ">f4"), "and_mask": np.zeros(2000, ">i4")}  # fmt: skip
    columns |= changes
    columns = {name: x.astype(x.dtype.newbyteorder(">")) for name, x in columns.items()}
    rows = np.zeros(len(columns["flux"]), [(name, x.dtype, x.shape[1:]) for name, x in columns.items()])
    for name, values in columns.items():
        rows[name] = values
    cards = [("PLATEID", ID.plate), ("MJD", ID.mjd), ("FIBERID", ID.fiberID)]
    return fits.primary(None, cards) + fits.table(rows, "COADD") + fits.table(np.zeros(1, [("Z", ">f4")]), "SPALL")


ID = SpectrumID(10000, 57346, 9, "v5_13_2")
SPECTRUM = spectrum_bytes()
SPECTRUM_PATH = spectrum_path("", *ID).as_posix()
_FILES = {f"/{FRAME_PATH}": FRAME, f"/{SPECTRUM_PATH}": SPECTRUM}


def honest(c: Connection) -> None:
    """The files of the archive, whole or a range."""
    body = _FILES.get(c.path)
    if body is None:
        c.send(answer(b"no", "404 Not Found"))
    elif c.span:
        c.send(ranged(*c.span, ETag='"1"'))
    else:
        c.send(answer(body, ETag='"1"'))


def ranged(first: int, last: int, body: bytes | None = None, content_range: str = "", **headers: Any) -> bytes:
    """The answer to a range of the frame; `body` and `content_range` may be other ones."""
    last = min(last, len(FRAME) - 1)
    said = content_range or f"bytes {first}-{last}/{len(FRAME)}"
    part = FRAME[first : last + 1] if body is None else body
    return answer(part, "206 Partial Content", Content_Range=said, **headers)


def block(urls: Urls, **more: Any) -> dict[str, Any]:
    """The archive block of a configuration in which all services are at the evil server."""
    limits = LIMITS | ({"deadline_s": PATIENT_S} if len(urls.mirrors) > 1 else {})
    return (
        archive(urls.evil, **limits, sas=urls.mirrors, xmatch=f"{urls.evil}/xmatch", login=f"{urls.evil}/login") | more
    )


def _frame(urls: Urls, folder: Path, way: str) -> Frame:
    rows = None if way == "whole" else (lambda field, frame: [ROWS])
    with sas.Frames([], folder, sas.Place(None, block(urls), False, False, way, 0.0), rows) as frames:
        found = frames(toy_frames.FIELD, "r")
        frames.write_manifest(folder / "manifest.jsonl")
    if found is None:
        raise CrosszError("no such frame")
    return found


frame: dict[str, Client] = {way: partial(_frame, way=way) for way in ("whole", "prefix", "blocks")}
"""Fetches the frame, or the rows of it that are needed, in one of three ways."""


def is_frame(found: Frame) -> bool:
    """Whether the rows that were needed are there, and are those of the honest frame."""
    known = np.ones(len(found.data), bool) if found.known is None else found.known
    there = np.flatnonzero(known[: len(PIXELS)])
    return bool(known[slice(*ROWS)].all()) and found.data[there].tobytes() == PIXELS[there].tobytes()


def spectrum(urls: Urls, folder: Path) -> Coadd:
    """Fetch the spectrum."""
    with spectra.Spectra(folder, sas.Place(None, block(urls), False)) as source:
        found = next(iter(source([ID])))
    if found is None:
        raise CrosszError("no such spectrum")
    return found


def is_spectrum(found: Coadd) -> bool:
    """Whether its pixels are those of the honest spectrum."""
    return all(a.tobytes() == b.tobytes() for a, b in zip(found, check(SPECTRUM, *ID[:3]), strict=True))


def rows(urls: Urls, folder: Path) -> int:
    """Ask SkyServer for a count."""
    with services.connected("skyserver", block(urls)) as service:
        return service.ask("SELECT COUNT_BIG(*) AS n FROM SpecObjAll", ("n",), 1, "counting", reply.number)


NEAR = np.array([10.0, 11.0]), np.array([20.0, 21.0])
"""Positions of which objects are asked."""


def near(urls: Urls, folder: Path) -> Any:
    """Ask SkyServer for the objects at two positions."""
    with services.connected("skyserver", block(urls)) as service:
        return crossid.finder(service).near(*NEAR, 2.0)


OBJID = 1237648720693755918


def named(urls: Urls, folder: Path) -> Any:
    """Ask SkyServer for an object."""
    with services.connected("skyserver", block(urls)) as service:
        return crossid.finder(service).named(np.array([OBJID]))


def sources(urls: Urls, folder: Path) -> Any:
    """Ask CDS XMatch for the sources of Gaia at a position."""
    with services.crossmatch_client(block(urls)) as client:
        return xmatch.finder(client, block(urls), folder)("gaia", np.array([10.0]), np.array([20.0]), 2.0)


def tables(urls: Urls, folder: Path) -> set[str]:
    """Ask CasJobs for the tables of MyDB."""
    with services.connected("casjobs", block(urls)) as service:
        return casjobs.Session(service._client, block(urls)).tables()


def _sesame(urls: Urls) -> list[str]:
    return [f"{mirror}/sesame" for mirror in urls.mirrors]


def position(urls: Urls, folder: Path) -> tuple[float, float]:
    """Ask CDS Sesame for the position of a name."""
    with transport.Client(transport.limits(block(urls))) as client:
        return sesame.position(client, "3C 273", _sesame(urls))


def predicted(urls: Urls, folder: Path) -> None:
    """`crossz predict --at NAME`."""
    at.ARCHIVE.update(LIMITS | {"skyserver": f"{urls.evil}/dr17", "query_interval_s": 0})
    sesame.position.__defaults__ = (_sesame(urls),)
    cli.main(["predict", "sdss-dr5q", "--at", "3C", "273"])


def examined(backend: str) -> Client:
    """`doctor` of a configuration."""
    return lambda urls, folder: doctor.examine(backend=backend, archive=block(urls), folder=folder, surveys=("gaia",))


def fetching(
    name: str, evil: Answer | AtOnce | Server, wants: str, *, solo: bool = True, pair: bool = True, **more: Any
) -> Iterator[Case]:
    """The frame asked for at a server that does `evil`: alone, and with an honest mirror, which must be used."""
    ask = {"client": frame["whole"], "right": is_frame, "good": honest} | more
    if solo:
        yield asking(name, evil, wants=wants, **ask)
    if pair:
        ask |= {"mirrors": ("evil", "good"), "deadline_s": PATIENT_S}
        yield asking(f"{name}, and an honest mirror", evil, wants=ACCEPTED, **ask)
