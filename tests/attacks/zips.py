"""Zip files of bundles: paths that lead out, links, bombs, damage."""

import io
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.material import CSV, NETWORK, all_are, copied, predicting, unpacked
from crossz.apply.networks import FOLDER

HONEST = (FOLDER / f"{NETWORK}.zip").read_bytes()
with zipfile.ZipFile(io.BytesIO(HONEST)) as _source:
    FILES = {Path(name).name: _source.read(name) for name in _source.namelist()}


def cases() -> Iterator[Case]:
    yield predicting("honest", "t.csv", CSV, ACCEPTED, files={"b.zip": HONEST}, network="b.zip", check=all_are("ok"))
    yield predicting("honest folder", "t.csv", CSV, ACCEPTED, files={"b": unpacked}, network="b", check=all_are("ok"))
    yield predicting(
        "packed anew", "t.csv", CSV, ACCEPTED, files={"b.zip": zipped()}, network="b.zip", check=all_are("ok")
    )
    for name, (content, wants) in {**entries(), **damage()}.items():
        yield predicting(name, "t.csv", CSV, wants, files={"b.zip": content}, network="b.zip")
        yield Case(f"info: {name}", ["info", "b.zip"], {"b.zip": content}, wants)
    others = {"nothing": b"", "text": b"a bundle", "a tar": b"b/bundle.json" + bytes(1000), "FIFO": lambda path: __import__("os").mkfifo(path), "link to a device": lambda path: path.symlink_to("/dev/zero"), "link in a circle": lambda path: path.symlink_to("b.zip"), "a link to an honest one": lambda path: path.symlink_to(FOLDER / f"{NETWORK}.zip"), "a copy": copied(FOLDER / f"{NETWORK}.zip")}  # fmt: skip
    for name, other in others.items():
        yield Case(
            f"no zip: {name}",
            ["info", "b.zip"],
            {"b.zip": other},
            EITHER if "honest" in name or "copy" in name else REFUSED,
        )


def zipped(folder: str = "b/", more: dict[str | zipfile.ZipInfo, bytes] | None = None, without: tuple[str, ...] = (), packing: int = zipfile.ZIP_DEFLATED) -> bytes:  # fmt: skip
    """A zip file of the honest bundle with other entries."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", packing) as target:
        for name, content in FILES.items():
            if name not in without:
                target.writestr(f"{folder}{name}", content)
        for entry, content in (more or {}).items():
            target.writestr(entry, content)
    return sink.getvalue()


def _info(name: str, mode: int = 0o644 | stat.S_IFREG) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry


def entries() -> dict[str, tuple[bytes, str]]:
    """Zip files with other entries."""
    paths = ("../hacked", "/tmp/hacked", "b/../../hacked", "b\\..\\hacked", "b/../b/hacked", "C:/hacked", "b/c/hacked", "hacked", "c/hacked", "b/.hidden", "b/a b", "b/\x1b[31m", "b/ä", "b/" + "x" * 300, "b/", "./b/x", "b//x", "b/-x", "b/\0x", "b/CON")  # fmt: skip
    found = {
        f"an entry {path[:20]!r}": (zipped(more={path: b"x"}), EITHER if path in ("b/", "b/\0x") else REFUSED)
        for path in paths
    }
    found |= {
        "a folder above": (zipped("a/b/"), REFUSED),
        "no folder": (zipped(""), REFUSED),
        "a folder ..": (zipped("../"), REFUSED),
        "a folder with a blank": (zipped("my bundle/"), EITHER),
        "a link": (
            zipped(more={_info("b/card.md", 0o777 | stat.S_IFLNK): b"/etc/passwd"}, without=("card.md",)),
            REFUSED,
        ),
        "a device": (zipped(more={_info("b/card.md", 0o666 | stat.S_IFCHR): b""}, without=("card.md",)), REFUSED),
        "one entry twice": (zipped(more={"b/bundle.json": b"{}"}), REFUSED),
        "one entry twice, alike": (zipped(more={"b/card.md": FILES["card.md"]}), EITHER),
        "nothing in it": (zipped(without=tuple(FILES)), REFUSED),
        "folders alone": (zipped(more={"b/": b""}, without=tuple(FILES)), REFUSED),
        "2,000 entries": (zipped(more={f"b/x{number}": b"" for number in range(2000)}), REFUSED),
        "1 GB of zeros": (_bomb("b/split-0.safetensors", 1 << 30), REFUSED),
        "1 GB of zeros as text": (_bomb("b/card.md", 1 << 30), REFUSED),
        "50 MB of zeros as text": (_bomb("b/card.md", 50 << 20), REFUSED),
        "bzip2": (zipped(packing=zipfile.ZIP_BZIP2), EITHER),
        "lzma": (zipped(packing=zipfile.ZIP_LZMA), EITHER),
        "stored": (zipped(packing=zipfile.ZIP_STORED), ACCEPTED),
        **{f"no {name}": (zipped(without=(name,)), REFUSED) for name in FILES},
        **{f"an empty {name}": (zipped(more={f"b/{name}": b""}, without=(name,)), REFUSED) for name in FILES},
        "a file more": (zipped(more={"b/run.py": b"import os"}), REFUSED),
    }
    return found


def _bomb(name: str, size: int) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as target:
        with target.open(name, "w", force_zip64=True) as entry:
            for _ in range(size >> 20):
                entry.write(bytes(1 << 20))
    return sink.getvalue()


def damage() -> dict[str, tuple[bytes, str]]:
    """Damaged zip files."""
    size, central = len(HONEST), HONEST.index(b"PK\x01\x02")
    lied = bytearray(_bomb("b/card.md", 50 << 20))
    place = lied.index(b"PK\x01\x02")
    lied[place + 24 : place + 28] = struct.pack("<I", 100)  # the unpacked size, in the directory at the end
    locked = bytearray(HONEST)
    locked[central + 8] |= 1
    return {
        "a size that lies": (bytes(lied), REFUSED),
        "a password": (bytes(locked), REFUSED),
        "an unknown packing": (HONEST[: central + 10] + b"\x63\0" + HONEST[central + 12 :], REFUSED),
        "a sum that is wrong": (HONEST[: central + 16] + b"\0\0\0\0" + HONEST[central + 20 :], REFUSED),
        "an offset that lies": (HONEST[: central + 42] + b"\xff\xff\0\0" + HONEST[central + 46 :], REFUSED),
        "rubbish before": (b"rubbish" * 100 + HONEST, EITHER),
        "rubbish behind": (HONEST + b"rubbish" * 100, EITHER),
        "a comment of 60 kB": (HONEST[:-2] + struct.pack("<H", 60_000) + b"x" * 60_000, EITHER),
        "two zip files": (HONEST + HONEST, EITHER),
        **{f"cut to {part}": (HONEST[:part], REFUSED) for part in (4, 100, size // 2, central, size - 22, size - 1)},
        **{f"byte {part} turned": (HONEST[:part] + bytes([HONEST[part] ^ 0xFF]) + HONEST[part + 1 :], EITHER) for part in (0, 8, 30, 60, 5000, size // 2, central + 4, central + 30, size - 10, size - 20)},
    }  # fmt: skip
