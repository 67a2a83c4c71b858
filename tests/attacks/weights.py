"""Weights, trees and domains of bundles: other numbers, other shapes, headers that lie."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case
from attacks.material import CSV, OF_IMAGES, forged, predicting

Arrays = dict[str, np.ndarray]
WEIGHTS, DOMAIN, TREES = "split-0.safetensors", "domain.safetensors", "trees-0.safetensors"


def cases() -> Iterator[Case]:
    for file, network in ((WEIGHTS, "sdss-dr5q"), (DOMAIN, "sdss-dr5q"), (TREES, OF_IMAGES)):
        for name, change in {**arrays(), **damage()}.items():
            wants = ACCEPTED if name == "as they are" else EITHER
            yield _predict(
                f"{file}: {name}",
                forged(lambda folder, file=file, change=change: rewrite(folder / file, change), network),
                wants,
            )
    for name, change in _trees().items():
        yield _predict(
            f"trees: {name}", forged(lambda folder, change=change: rewrite(folder / TREES, change), OF_IMAGES), EITHER
        )


def _predict(name: str, folder: Callable[[Path], object], wants: str = REFUSED) -> Case:
    return predicting(name, "t.csv", CSV, wants, files={"b": folder}, network="b")


def rewrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Put changed bytes into a file."""
    path.write_bytes(change(path.read_bytes()))


def _each(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[bytes], bytes]:
    return lambda content: save({name: np.ascontiguousarray(change(array)) for name, array in load(content).items()})


def _all(change: Callable[[Arrays], Arrays]) -> Callable[[bytes], bytes]:
    return lambda content: save(change(load(content)))


def _filled(value: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda array: np.full_like(array, value) if array.dtype.kind == "f" else array


def arrays() -> dict[str, Callable[[bytes], bytes]]:
    """Changes of the arrays of a safetensors file."""

    def first(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Arrays], Arrays]:
        def changed(arrays: Arrays) -> Arrays:
            name = min(arrays)
            return arrays | {name: np.ascontiguousarray(change(arrays[name]))}

        return changed

    return {
        "as they are": lambda content: content,
        "saved again": _each(lambda array: array),
        "NaN": _each(_filled(np.nan)),
        "infinities": _each(_filled(np.inf)),
        "zeros": _each(lambda array: np.zeros_like(array)),
        "1e38": _each(_filled(1e38)),
        "-1e38": _each(_filled(-1e38)),
        "one NaN": _all(first(lambda array: np.where(np.arange(array.size).reshape(array.shape) == 0, np.nan, array).astype(array.dtype))),
        "signs turned": _each(lambda array: -array),
        "doubles": _each(lambda array: array.astype(np.float64)),
        "halves": _each(lambda array: array.astype(np.float16)),
        "integers": _each(lambda array: array.astype(np.int64)),
        "booleans": _each(lambda array: array.astype(bool)),
        "one axis more": _each(lambda array: array[None]),
        "one axis": _each(lambda array: array.ravel()),
        "no numbers": _each(lambda array: array[:0]),
        "transposed": _each(lambda array: array.T),
        "doubled": _each(lambda array: np.concatenate([array, array]) if array.ndim else array),
        "one row": _each(lambda array: array[:1] if array.ndim else array),
        "an array fewer": _all(lambda arrays: {name: arrays[name] for name in sorted(arrays)[1:]}),
        "an array more": _all(lambda arrays: arrays | {"x": np.zeros(3, np.float32)}),
        "an array of 100 MB more": _all(lambda arrays: arrays | {"x": np.zeros(25_000_000, np.float32)}),
        "a scale more": _all(lambda arrays: arrays | {f"{min(arrays)}:scale": np.zeros(1, np.float32)}),
        "a scale of nothing": _all(lambda arrays: arrays | {"x:scale": np.zeros(1, np.float32)}),
        "no arrays": _all(lambda arrays: {}),
        "a name with an escape": _all(lambda arrays: arrays | {"\x1b[31m": np.zeros(1, np.float32)}),
    }  # fmt: skip


def _header(change: Callable[[dict], object]) -> Callable[[bytes], bytes]:
    """A header that says something else of the same numbers."""

    def changed(content: bytes) -> bytes:
        size = struct.unpack_from("<Q", content)[0]
        said = json.loads(content[8 : 8 + size])
        change(said)
        header = json.dumps(said).encode()
        return struct.pack("<Q", len(header)) + header + content[8 + size :]

    return changed


def _first(said: dict) -> dict:
    return said[min(name for name in said if name != "__metadata__")]


def damage() -> dict[str, Callable[[bytes], bytes]]:
    """Damage to the bytes of a safetensors file."""
    return {
        "nothing": lambda content: b"",
        "8 bytes": lambda content: content[:8],
        "a header of 0 bytes": lambda content: bytes(8) + content[8:],
        "a header of 2**63 bytes": lambda content: struct.pack("<Q", 2**63) + content[8:],
        "a header of the whole file": lambda content: struct.pack("<Q", len(content) - 8) + content[8:],
        "cut": lambda content: content[:-100],
        "rubbish behind": lambda content: content + b"rubbish",
        "a pickle": lambda content: b"\x80\x02cos\nsystem\n(S'touch hacked'\ntR.",
        "a zip of torch": lambda content: b"PK\x03\x04" + content,
        "no JSON": lambda content: struct.pack("<Q", 8) + b"{{{{{{{{" + content[8:],
        "deep JSON": lambda content: struct.pack("<Q", 100_000) + b"[" * 100_000,
        "a header of blanks": lambda content: struct.pack("<Q", 10**6) + b" " * 10**6 + content[8:],
        "a shape of 2**60": _header(lambda said: _first(said).update(shape=[2**60])),
        "a shape that overflows": _header(lambda said: _first(said).update(shape=[2**32, 2**32, 2**32])),
        "a negative shape": _header(lambda said: _first(said).update(shape=[-1])),
        "a shape of words": _header(lambda said: _first(said).update(shape="x")),
        "an unknown type": _header(lambda said: _first(said).update(dtype="X99")),
        "bytes behind the file": _header(lambda said: _first(said).update(data_offsets=[10**9, 2 * 10**9])),
        "bytes that end before they begin": _header(lambda said: _first(said).update(data_offsets=[100, 0])),
        "bytes that overlap": _header(lambda said: [one.update(data_offsets=[0, 4]) for one in said.values()]),
        "metadata of numbers": _header(lambda said: said.update(__metadata__={"a": 1})),
        "metadata of 1 MB": _header(lambda said: said.update(__metadata__={"a": "x" * 10**6})),
        "two million zeros": lambda content: bytes(2_000_000),
    }


def _trees() -> dict[str, Callable[[bytes], bytes]]:
    def changed(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[bytes], bytes]:
        return _all(
            lambda arrays: arrays | {name: np.ascontiguousarray(change(arrays[name])).astype(arrays[name].dtype)}
        )

    found = {}
    for name in ("feature", "value", "other", "size", "span", "fill", "scale"):
        found |= {
            f"{name} of zeros": changed(name, np.zeros_like),
            f"{name} of the largest": changed(
                name,
                lambda array: np.full_like(
                    array, np.finfo(array.dtype).max if array.dtype.kind == "f" else np.iinfo(array.dtype).max
                ),
            ),
            f"{name} of ones": changed(name, np.ones_like),
            f"{name} turned round": changed(name, lambda array: array[::-1]),
            f"{name} moved by one": changed(name, lambda array: np.roll(array, 1)),
            f"{name} one shorter": changed(name, lambda array: array[:-1]),
        }
    return found
