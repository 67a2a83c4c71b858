"""Frames in a folder of the user (stamps.frames_root): other frames, damaged ones, bombs, and what is no file."""

import bz2
import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from toy_images import COLUMNS, FIELD, ROWS, sky, write_frame

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from crossz.archive.sas import write_stamps
from crossz.core.constants import BANDS
from crossz.images.arrow import UNITS_PER_NMGY, read_arrays
from crossz.images.stamps import CENTRE
from crossz.sdss.frames import MOST, frame_path

Change = Callable[[Path], object]
PIXELS = ((17 * np.arange(ROWS)[:, None] + 29 * np.arange(COLUMNS)) % 997).astype(">f4")
"""Of all frames: each differs from its neighbours."""
_OBJECTS = [(100, 120), (130, 150), (160, 140)]  # pixels of r, whose stamps lie on the frame


def cases() -> Iterator[Case]:
    of_bytes = {**_damage(), **_files()}
    for way, changes in {
        "whole": {**_others(), **of_bytes, **_folders()},
        "prefix": of_bytes,
        "blocks": of_bytes,
    }.items():
        for name, (change, wants) in changes.items():
            yield Case(
                f"{way}: {name}",
                functools.partial(_cut, way),
                {"plan.parquet": _plan, "frames": functools.partial(_tree, change)},
                wants,
                check=functools.partial(_sound, wants),
            )


def _plan(path: Path) -> None:
    places = [sky(x, y) for x, y in _OBJECTS]
    columns = {"objID": range(1, len(places) + 1), "specObjID": 1} | FIELD._asdict()
    pd.DataFrame(columns | dict(zip(("ra", "dec"), np.transpose(places), strict=True))).to_parquet(path)


@functools.cache
def _honest() -> dict[str, bytes]:
    """The five frames of one field."""
    with tempfile.TemporaryDirectory() as folder:
        return {band: write_frame(Path(folder), band=band, data=PIXELS).read_bytes() for band in BANDS}


def _tree(change: Change, root: Path) -> None:
    """A folder of the honest frames; `change` is done to that of r."""
    for band, body in _honest().items():
        path = frame_path(root, FIELD, band)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    change(frame_path(root, FIELD, "r"))


def _cut(way: str) -> None:
    stamps = {"frames_root": "frames", "keep_frames": False, "damaged_frames": "stop", "fetch": way, "audit": 0.0}
    config = {"survey": "sdss", "archive": {"sas": []}, "stamps": stamps}
    outputs = {"stamps": "stamps.arrow", "counts": "counts.json", "manifest": "frames.jsonl"}
    with tempfile.TemporaryDirectory() as cache:
        write_stamps(plan="plan.parquet", frames=None, **outputs, edges="mask", cache=cache, config=config)


def _sound(wants: str) -> None:
    """Each object has a stamp of all bands, which shows the honest pixels, or a status that says why not."""
    found = read_arrays("stamps.arrow")
    ok = found["status"] == "ok"
    assert ok.all() or wants != ACCEPTED, set(found["status"])
    assert set(found["status"]) <= {"ok", "missing_frame", "outside_frame"}, set(found["status"])
    for row, (x, y) in enumerate(_OBJECTS):
        pixels = found["image"][row, :, CENTRE, CENTRE] / UNITS_PER_NMGY
        assert not ok[row] or np.allclose(pixels, PIXELS[y, x], atol=0.3), (pixels, PIXELS[y, x])


def _raw(path: Path) -> bytes:
    return bz2.decompress(path.read_bytes())


def _rewritten(change: Callable[[bytes], bytes]) -> Change:
    """The frame with other bytes before it is compressed."""
    return lambda path: path.write_bytes(bz2.compress(change(_raw(path))))


def _card(name: str, value: str) -> Change:
    """The frame with another value in its header, or a card more."""
    card = f"{name:<8}= {value:>20}".ljust(80).encode()

    def changed(raw: bytes) -> bytes:
        cards = [raw[place : place + 80] for place in range(0, 2880, 80)]
        names = [one[:8] for one in cards]
        place = names.index(card[:8]) if card[:8] in names else names.index(b"END     ")
        cards[place:place] = [card]
        del cards[place + 1 if card[:8] in names else -1]
        return b"".join(cards) + raw[2880:]

    return _rewritten(changed)


def _anew(
    data: np.ndarray | None = None, band: str = "r", field: dict[str, int] | None = None, **cards: object
) -> Change:
    """Another frame under the name of this one."""

    def write(path: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            made = write_frame(Path(folder), FIELD._replace(**field or {}), band, data, **cards)
            path.write_bytes(made.read_bytes())

    return write


def _others() -> dict[str, tuple[Change, str]]:
    spoilt = {}
    for name, value in (("NaN", np.nan), ("infinite", np.inf), ("-infinite", -np.inf)):
        spoilt[name] = PIXELS.copy()
        spoilt[name][120:150, 100:130] = value
    cards = {
        "NAXIS1": ("0", "-1", "1", "256", "2048", "1000000000", "'x'", "T", "1.5"),
        "NAXIS2": ("0", "-1", "1", "299", "1489", "1490", "1000000000", "260.0"),
        "BITPIX": ("8", "16", "-64", "0"),
        "NAXIS": ("0", "1", "3", "999"),
        "CRVAL1": ("1E300", "NaN", "400.0", "170.0", "'x'"),
        "CRVAL2": ("95.0", "-89.0"),
        "CRPIX1": ("1E300", "-1000.0", "0"),
        "CD1_2": ("0.0", "1.0", "NaN", "1E-308"),
        "CTYPE1": ("'GLON-TAN'", "'RA---SIN'", "5"),
        "RUN": ("1", "'1043'", "T"),
        "CAMCOL": ("1",),
        "FRAME": ("26",),
        "FILTER": ("'g'", "5"),
    }
    return {
        "honest": (lambda path: None, ACCEPTED),
        "written again": (_rewritten(lambda raw: raw), ACCEPTED),
        "of another field": (_anew(field={"field": FIELD.field + 1}), REFUSED),
        "of another run": (_anew(field={"run": FIELD.run + 1}), REFUSED),
        "of another camera column": (_anew(field={"camcol": 6}), REFUSED),
        **{f"of band {band}": (_anew(band=band), REFUSED) for band in "ugiz"},
        "of two pixels a side": (_anew(np.zeros((2, 2), ">f4")), REFUSED),
        "of one row": (_anew(np.zeros((1, COLUMNS), ">f4")), EITHER),
        "a row more than any": (_anew(np.zeros((1490, 8), ">f4")), REFUSED),
        "transposed": (_anew(PIXELS.T), REFUSED),
        "transposed with its WCS": (
            _anew(PIXELS.T, CRPIX1=ROWS / 2 + 1, CRPIX2=COLUMNS / 2 + 1, CD1_1=1.1e-4, CD1_2=0, CD2_1=0, CD2_2=1.1e-4),
            REFUSED,
        ),
        "of three axes": (_anew(np.zeros((2, ROWS, COLUMNS), ">f4")), REFUSED),
        "of doubles": (_anew(PIXELS.astype(">f8")), REFUSED),
        "of integers": (_anew(PIXELS.astype(">i4")), REFUSED),
        "scaled": (_card("BSCALE", "2.0"), REFUSED),
        "moved": (_card("BZERO", "1.0"), REFUSED),
        **{f"{name} pixels": (_anew(data), REFUSED) for name, data in spoilt.items()},
        **{f"{name} of {value}": (_card(name, value), REFUSED) for name, values in cards.items() for value in values},
    }  # fmt: skip


def _damage() -> dict[str, tuple[Change, str]]:
    def bytes_of(change: Callable[[bytes], bytes]) -> Change:
        return lambda path: path.write_bytes(change(path.read_bytes()))

    def turned(part: float) -> Change:
        return bytes_of(
            lambda body: body[: (at := int(part * (len(body) - 1)))] + bytes([body[at] ^ 0x10]) + body[at + 1 :]
        )

    found: dict[str, tuple[Change, str]] = {}
    for part in (0, 0.0001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.9999, 1):
        found[f"a byte at {part:.2%} turned"] = (turned(part), EITHER)
    for part in (0, 0.0001, 0.1, 0.5, 0.9, 0.999):
        found[f"cut to {part:.2%}"] = (
            bytes_of(lambda body, part=part: body[: int(part * len(body))]),
            REFUSED if part < 0.1 else EITHER,
        )
    found |= {
        "its last byte cut": (bytes_of(lambda body: body[:-1]), EITHER),
        "rubbish behind": (bytes_of(lambda body: body + b"rubbish"), EITHER),
        "twice": (bytes_of(lambda body: body + body), EITHER),
        "not compressed": (lambda path: path.write_bytes(_raw(path)), REFUSED),
        "compressed twice": (bytes_of(bz2.compress), REFUSED),
        "text": (bytes_of(lambda body: b"<html>404</html>"), REFUSED),
        "bz2 of text": (bytes_of(lambda body: bz2.compress(b"<html>404</html>")), REFUSED),
        "bz2 of nothing": (bytes_of(lambda body: bz2.compress(b"")), REFUSED),
        "an END too few": (_rewritten(lambda raw: raw.replace(b"END" + b" " * 77, b" " * 80, 1)), REFUSED),
        "half its pixels": (_rewritten(lambda raw: raw[: len(raw) // 2]), REFUSED),
        "3 MB behind its pixels": (_rewritten(lambda raw: raw + bytes(3 << 20)), EITHER),
        "256 MB behind its pixels": (_bomb(lambda raw: raw), EITHER),
        "256 MB of header": (_bomb(lambda raw: raw[:2880].replace(b"END" + b" " * 77, b" " * 80)), REFUSED),
        "256 MB of zeros": (_bomb(lambda raw: b""), REFUSED),
        "256 MB for the largest frame": (_bomb(lambda raw: _largest(raw)), REFUSED),
        "17 MB": (bytes_of(lambda body: body + bytes(MOST)), REFUSED),
        "100 GB with holes": (lambda path: os.truncate(path, 100 << 30), REFUSED),
    }
    return found


def _largest(raw: bytes) -> bytes:
    """The header of a frame that has the most pixels of all."""
    header = raw[:2880]
    for name, count in (("NAXIS1", 2048), ("NAXIS2", 1489)):
        at = header.index(name.encode())
        header = header[:at] + f"{name:<8}= {count:>20}".ljust(80).encode() + header[at + 80 :]
    return header


def _bomb(begin: Callable[[bytes], bytes]) -> Change:
    """A frame that goes on for 256 MB of zeros, in some kilobytes."""

    def write(path: Path) -> None:
        packer = bz2.BZ2Compressor()
        head = begin(_raw(path))
        with open(path, "wb") as target:
            target.write(packer.compress(head))
            for _ in range(256):
                target.write(packer.compress(bytes(1 << 20)))
            target.write(packer.flush())

    return write


def _files() -> dict[str, tuple[Change, str]]:
    def instead(make: Change) -> Change:
        def change(path: Path) -> None:
            path.rename(path.with_name("honest"))
            make(path)

        return change

    return {
        "absent": (lambda path: path.unlink(), EITHER),
        "a FIFO": (instead(os.mkfifo), REFUSED),
        "a folder": (instead(lambda path: path.mkdir()), REFUSED),
        "a socket": (instead(_socket), REFUSED),
        "a link to it": (instead(lambda path: path.symlink_to("honest")), ACCEPTED),
        "a link to a link": (instead(lambda path: _links(path, "honest")), ACCEPTED),
        "a link that leads nowhere": (instead(lambda path: path.symlink_to("nowhere")), REFUSED),
        "a link to itself": (instead(lambda path: path.symlink_to(path.name)), REFUSED),
        "two links in a circle": (instead(lambda path: _links(path, path.name)), REFUSED),
        "a link to a FIFO": (instead(lambda path: (os.mkfifo(path.with_name("f")), path.symlink_to("f"))), REFUSED),
        "a link to /dev/zero": (instead(lambda path: path.symlink_to("/dev/zero")), REFUSED),
        "a link to /dev/null": (instead(lambda path: path.symlink_to("/dev/null")), REFUSED),
        "a link to /dev/stdin": (instead(lambda path: path.symlink_to("/dev/stdin")), REFUSED),
        "a link to /proc/self/mem": (instead(lambda path: path.symlink_to("/proc/self/mem")), REFUSED),
        "a link to a folder": (instead(lambda path: path.symlink_to(".")), REFUSED),
        "locked": (lambda path: path.chmod(0), REFUSED if os.geteuid() else EITHER),
    }


def _links(path: Path, target: str) -> None:
    path.with_name("between").symlink_to(target)
    path.symlink_to("between")


def _socket(path: Path) -> None:
    os.mknod(path, 0o140644)


def _folders() -> dict[str, tuple[Change, str]]:
    def instead(make: Callable[[Path], object]) -> Change:
        """Another thing in place of the folder of the camera column."""

        def change(path: Path) -> None:
            path.parent.rename(path.parent.with_name("honest"))
            make(path.parent)

        return change

    return {
        "its folder is a link": (instead(lambda folder: folder.symlink_to("honest")), ACCEPTED),
        "its folder is a link to itself": (instead(lambda folder: folder.symlink_to(folder.name)), EITHER),
        "its folder leads nowhere": (instead(lambda folder: folder.symlink_to("nowhere")), EITHER),
        "its folder is a file": (instead(lambda folder: folder.write_bytes(b"x")), EITHER),
        "its folder is a FIFO": (instead(os.mkfifo), EITHER),
        "its folder is locked": (
            lambda path: path.parent.chmod(0),
            REFUSED if os.geteuid() else EITHER,
        ),
    }
