"""The authors' `.mat` cutouts: pickles that would do more than hold an array."""

import io
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case, Content
from crossz.images.mat import cutouts_by_spectrum, read_mat

NAME = "1_2.0_0.001.mat"


def cases() -> Iterator[Case]:
    for name, (content, wants) in {**_arrays(), **_pickles()}.items():
        yield Case(name, lambda: read_mat(NAME), {NAME: content}, wants, _finite)
    for name, files in _folders().items():
        yield Case(f"folder: {name}", lambda: cutouts_by_spectrum("."), files, EITHER)


def _finite() -> None:
    found = read_mat(NAME)
    assert found.shape == (5, 64, 64)
    assert np.isfinite(found).all()


def _dumped(value: object, **how: object) -> bytes:
    sink = io.BytesIO()
    joblib.dump(value, sink, **how)
    return sink.getvalue()


def _arrays() -> dict[str, tuple[Content, str]]:
    image = np.ones((5, 64, 64), np.float32)
    honest = _dumped(image)
    found: dict[str, tuple[Content, str]] = {
        "honest": (honest, ACCEPTED),
        "double": (_dumped(image.astype(float)), ACCEPTED),
        "in the order of Fortran": (_dumped(np.asfortranarray(image)), ACCEPTED),
        "pixels of 1e39": (_dumped(image.astype(float) * 1e39), REFUSED),
        "pixels of NaN": (_dumped(image * np.nan), REFUSED),
        "infinite pixels": (_dumped(image * np.inf), REFUSED),
        "integers": (_dumped(image.astype(int)), REFUSED),
        "complex": (_dumped(image.astype(complex)), REFUSED),
        "text": (_dumped(image.astype("U4")), REFUSED),
        "records": (_dumped(np.zeros(20480, [("a", "f4")])), REFUSED),
        "another shape": (_dumped(image[:3]), REFUSED),
        "no axis": (_dumped(np.array(1.0)), REFUSED),
        "100 MB": (_dumped(np.zeros(25_000_000, np.float32)), REFUSED),
        "two arrays": (_dumped([image, image]), REFUSED),
        "an array in a dict": (_dumped({"a": image}), REFUSED),
        "objects": (_dumped(np.array([os.system, 1], object)), REFUSED),
        "a memory map": (_dumped(np.ones((5, 64, 64), np.float32).view(np.memmap)), EITHER),
        "packed by zlib": (_dumped(image, compress=3), REFUSED),
        "packed by lzma": (_dumped(image, compress=("lzma", 3)), REFUSED),
        "nothing": (b"", REFUSED),
        "a FIFO": (lambda path: os.mkfifo(path), REFUSED),
        "a device": (lambda path: path.symlink_to("/dev/zero"), REFUSED),
        "a folder": (lambda path: path.mkdir(), REFUSED),
        "a link in a circle": (lambda path: path.symlink_to(path.name), REFUSED),
        "9 GB that are not there": (lambda path: (path.touch(), os.truncate(path, 9 << 30)), REFUSED),
        "a file of MATLAB": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(1000), REFUSED),
    }
    for place in range(0, 230, 9):
        found[f"byte {place} turned"] = (honest[:place] + bytes([honest[place] ^ 0x55]) + honest[place + 1 :], EITHER)
    for size in (1, 2, 50, 150, 220, len(honest) - 1, len(honest) - 500):
        found[f"cut to {size}"] = (honest[:size], REFUSED)
    shape = b"K\x05K@K@\x87"
    assert shape in honest
    for name, other in {"negative": b"J\xff\xff\xff\xffK@K@\x87", "huge": b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7fK@\x87", "text": b"X\x01\x00\x00\x00aK@K@\x87", "floats": b"G@\x14\x00\x00\x00\x00\x00\x00K@K@\x87", "a tuple": b")K@K@\x87", "one": b"K\x05\x85"}.items():  # fmt: skip
        found[f"a shape: {name}"] = (honest.replace(shape, other), EITHER)
    return found


class _Calls:
    def __init__(self, call: Callable, *arguments: object):
        self._call = (call, arguments)

    def __reduce__(self) -> tuple:
        return self._call


def _pickles() -> dict[str, tuple[Content, str]]:
    calls = {
        "os.system": _Calls(os.system, "touch hacked"),
        "eval": _Calls(eval, "open('hacked', 'w')"),
        "open": _Calls(open, "hacked", "w"),
        "getattr": _Calls(getattr, os, "system") if False else _Calls(getattr, "a", "upper"),
        "bytearray": _Calls(bytearray, 1 << 40),
        "numpy.zeros": _Calls(np.zeros, 1 << 40),
        "numpy.dtype": _Calls(np.dtype, "V2147483647"),
        "numpy.load": _Calls(np.load, "/etc/passwd"),
        "numpy.memmap": _Calls(np.memmap, "/etc/passwd"),
        "Path": Path("/etc/passwd"),
    }
    found: dict[str, tuple[Content, str]] = {}
    for name, call in calls.items():
        for protocol in (0, 2, 4, 5):
            found[f"a call of {name}, protocol {protocol}"] = (pickle.dumps(call, protocol), REFUSED)
    raw = {
        "a name by its parts": b"\x80\x04\x8c\x05numpy\x8c\x0emmap.os.system\x93\x8c\x0ctouch hacked\x85R.",
        "dtype of an attribute": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__base__\x93.",
        "an extension code": b"\x80\x02\x82\x01.",
        "a persistent id": b"Pabc\n.",
        "a long integer": b"\x80\x02\x8b" + (2**31 - 1).to_bytes(4, "little") + b"1.",
        "a text of 2 GB": b"\x80\x02X" + (2**31 - 1).to_bytes(4, "little") + b"a.",
        "bytes of 2**60": b"\x80\x04\x8e" + (2**60).to_bytes(8, "little") + b"a.",
        "a frame of 2**60": b"\x80\x04\x95" + (2**60).to_bytes(8, "little") + b"N.",
        "an array of bytes of 2**40": b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"a.",
        "a million lists": b"]" * 1_000_000 + b"." ,
        "lists in each other": b"(" * 500_000 + b"l" * 500_000 + b".",
        "a memo of a million": b"".join(b"]r" + n.to_bytes(4, "little") for n in range(300_000)) + b".",
        "a memo far away": b"Nr\xff\xff\xff\x7f.",
        "an integer of a million digits": b"L" + b"9" * 1_000_000 + b"L\n.",
        "no end": b"\x80\x04N",
        "nothing on the stack": b"\x80\x04.",
        "protocol 99": b"\x80\x63N.",
        "an inst": b"(ios\nsystem\n.",
        "an object of the wrapper": b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}b.",
        "the wrapper itself": b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n.",
        "a wrapper with code for a type": b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(X\x05\x00\x00\x00dtypeX\x01\x00\x00\x00OX\x05\x00\x00\x00shapeK\x01\x85X\x05\x00\x00\x00orderX\x01\x00\x00\x00Cub.",
    }  # fmt: skip
    return found | {name: (content, REFUSED) for name, content in raw.items()}


def _folders() -> dict[str, dict[str, Content]]:
    return {
        "empty": {},
        "a name without an id": {"a_2.0_0.1.mat": b""},
        "superscripts": {"²_2.0_0.1.mat": b""},
        "an id of 200 digits": {f"{'1' * 200}_2.0_0.1.mat": b""},
        "two of one spectrum": {"1_2.0_0.1.mat": b"", "01_2.0_0.1.mat": b""},
        "escapes": {"\x1b[31m_2.0_0.1.mat": b""},
        "no letters": {"_.mat": b"", ".mat": b""},
    }
