"""Images beside a table: cutout files, .npy and FITS files, folders of them."""

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from astropy.io import fits

from attacks.harness import ACCEPTED, EITHER, REFUSED, Case, Content
from attacks.material import CSV, IDS, OF_IMAGES, ROWS, cutout_file, image_bytes, predicting
from crossz.images.arrow import to_units, write_arrays

IMAGES = image_bytes()


def cases() -> Iterator[Case]:
    for name, (files, wants) in {**_arrow(), **_npy(), **_folders(), **_fits_files()}.items():
        (first, *_) = files
        cutouts = first.split("/")[0]
        yield predicting(name, "t.csv", CSV, wants, "--cutouts", cutouts, files=files, network=OF_IMAGES)
    for words in (
        ("none",),
        ("none.arrow",),
        ("/dev/zero",),
        ("/dev/null",),
        ("t.csv",),
        ("a" * 5000,),
        ("\x1b[31m",),
        ("0.arrow", "0.arrow"),
        ("0.arrow", "none"),
    ):
        yield predicting(
            f"--cutouts {' '.join(words)[:30]!r}",
            "t.csv",
            CSV,
            REFUSED,
            "--cutouts",
            *words,
            files={"0.arrow": cutout_file},
            network=OF_IMAGES,
        )
    yield predicting(
        "images for a network of photometry",
        "t.csv",
        CSV,
        EITHER,
        "--cutouts",
        "0.arrow",
        files={"0.arrow": cutout_file},
    )


def _columns(**changes: object) -> Callable[[Path], None]:
    """What writes a cutout file in which columns are others; None leaves one out."""

    def write(path: Path) -> None:
        image, _ = to_units(IMAGES)
        columns = {"objID": IDS, "status": ["ok"] * ROWS, "image": image, "mask": np.zeros((ROWS, 64, 64), np.uint8)}
        write_arrays(path, {name: value for name, value in (columns | changes).items() if value is not None})

    return write


def _arrow() -> dict[str, tuple[dict[str, Content], str]]:
    image, _ = to_units(IMAGES)
    odd = {
        "all pixels NaN": _columns(image=np.full_like(image, np.nan)),
        "all pixels infinite": _columns(image=np.full_like(image, np.inf)),
        "the largest pixels": _columns(image=np.full_like(image, 65504)),
        "another shape": _columns(image=image[:, :, :32]),
        "another type": _columns(image=image.astype(np.float64)),
        "integers": _columns(image=image.astype(np.int16)),
        "everything masked": _columns(mask=np.full((ROWS, 64, 64), 255, np.uint8)),
        "a mask of another shape": _columns(mask=np.zeros((ROWS, 5, 64, 64), np.uint8)),
        "objID of floats": _columns(objID=IDS.astype(float)),
        "objID of text": _columns(objID=IDS.astype(str).tolist()),
        "objID twice": _columns(objID=np.full(ROWS, 1)),
        "negative objID": _columns(objID=-IDS),
        "status of numbers": _columns(status=[1] * ROWS),
        "status of nothing": _columns(status=[None] * ROWS),
        "status with escapes": _columns(status=["\x1b[31m"] * ROWS),
        "status of scripts": _columns(status=["<script>"] * ROWS),
        "a status of 1 MB": _columns(status=["x" * 10**6] * ROWS),
        **{f"no {name}": _columns(**{name: None}) for name in ("objID", "status", "image", "mask")},
    }
    found: dict[str, tuple[dict[str, Content], str]] = {
        f"cutouts: {name}": ({"0.arrow": write}, EITHER) for name, write in odd.items()
    }
    found["cutouts: honest"] = ({"0.arrow": cutout_file}, ACCEPTED)
    found["cutouts: honest, in a folder"] = ({"images/0.arrow": cutout_file}, ACCEPTED)
    for packing in ("zstd", "lz4"):
        found[f"cutouts: packed by {packing}"] = (
            {"0.arrow": lambda path, packing=packing: _packed(path, packing)},
            REFUSED,
        )
    found["cutouts: 1 GB of zeros, packed"] = ({"0.arrow": _bomb}, REFUSED)
    for place in (0, 4, 8, 100, 300, 500, 1000, -4, -8, -12, -40, -100, -200, -300, -400):
        found[f"cutouts: byte {place} turned"] = ({"0.arrow": lambda path, place=place: _turned(path, place)}, EITHER)
    for size in (0, 6, 8, 100, 10_000, 500_000, -1, -10, -300):
        found[f"cutouts: cut to {size}"] = ({"0.arrow": lambda path, size=size: _cut(path, size)}, REFUSED)
    found["cutouts: text"] = ({"0.arrow": b"objID,image\n1,2\n"}, REFUSED)
    found["cutouts: a stream"] = ({"0.arrow": _stream}, REFUSED)
    return found


def _packed(path: Path, packing: str) -> None:
    cutout_file(path)
    with pa.memory_map(str(path)) as source:
        rows = pa.ipc.open_file(source).read_all()
    with (
        pa.OSFile("packed", "wb") as sink,
        pa.ipc.new_file(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression=packing)) as writer,
    ):
        writer.write_table(rows)
    os.replace("packed", path)


def _bomb(path: Path) -> None:
    rows = pa.table({"a": pa.array(np.zeros(1 << 27))})
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, rows.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer,
    ):
        writer.write_table(rows)


def _stream(path: Path) -> None:
    rows = pa.table({"a": [1]})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)


def _turned(path: Path, place: int) -> None:
    cutout_file(path)
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def _cut(path: Path, size: int) -> None:
    cutout_file(path)
    path.write_bytes(path.read_bytes()[:size])


def _saved(array: np.ndarray, **how: object) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array, **how)
    return sink.getvalue()


def _header(text: str, version: tuple[int, int] = (1, 0), data: bytes = b"") -> bytes:
    size = len(text).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + size + text.encode() + data


class _Command:
    def __reduce__(self) -> tuple:
        return os.system, ("touch hacked",)


def _npy() -> dict[str, tuple[dict[str, Content], str]]:
    pixels = IMAGES.astype("<f4").tobytes()
    fields = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"
    arrays = {
        "honest": (_saved(IMAGES), ACCEPTED),
        "double": (_saved(IMAGES.astype(float)), ACCEPTED),
        "big endian": (_saved(IMAGES.astype(">f4")), ACCEPTED),
        "in the order of Fortran": (_saved(np.asfortranarray(IMAGES)), ACCEPTED),
        "all NaN": (_saved(np.full_like(IMAGES, np.nan)), EITHER),
        "all infinite": (_saved(np.full_like(IMAGES, np.inf)), EITHER),
        "all 1e38": (_saved(np.full_like(IMAGES, 1e38)), EITHER),
        "all -1e38": (_saved(np.full_like(IMAGES, -1e38)), EITHER),
        "zeros": (_saved(np.zeros_like(IMAGES)), EITHER),
        "double beyond float": (_saved(np.full(IMAGES.shape, 1e300)), EITHER),
        "half": (_saved(IMAGES.astype(np.float16)), EITHER),
        "integers": (_saved(IMAGES.astype(int)), EITHER),
        "booleans": (_saved(IMAGES > 0), REFUSED),
        "complex": (_saved(IMAGES.astype(complex)), REFUSED),
        "text": (_saved(IMAGES.astype("U8")), REFUSED),
        "dates": (_saved(np.zeros(IMAGES.shape, "M8[s]")), REFUSED),
        "records": (_saved(np.zeros(IMAGES.shape, [("a", "<f4")])), REFUSED),
        "objects": (_saved(np.array([_Command()] * ROWS), allow_pickle=True), REFUSED),
        "one image too few": (_saved(IMAGES[1:]), REFUSED),
        "one image too many": (_saved(np.concatenate([IMAGES, IMAGES[:1]])), REFUSED),
        "other axes": (_saved(np.moveaxis(IMAGES, 1, 3)), REFUSED),
        "one axis": (_saved(IMAGES.ravel()), REFUSED),
        "no axis": (_saved(np.float32(1)), REFUSED),
        "cut": (_saved(IMAGES)[:-5], REFUSED),
        "header alone": (_saved(IMAGES)[:128], REFUSED),
        "nothing": (b"", REFUSED),
        "a pickle": (b"\x80\x04cos\nsystem\n(S'touch hacked'\ntR.", REFUSED),
        "a zip": (b"PK\x03\x04" + bytes(100), REFUSED),
        "version 9": (_header(fields % "12, 5, 64, 64", (9, 0), pixels), REFUSED),
        "a huge shape": (_header(fields % "12, 5, 64, 6400000000", data=pixels), REFUSED),
        "a shape that overflows": (_header(fields % "12, 5, 4294967296, 4294967296", data=pixels), REFUSED),
        "a negative shape": (_header(fields % "-12, 5, 64, 64", data=pixels), REFUSED),
        "a shape of floats": (_header(fields % "12.0, 5, 64, 64", data=pixels), REFUSED),
        "a shape of 100 axes": (_header(fields % ("1, " * 100), data=pixels), REFUSED),
        "code for a header": (_header("__import__('os').system('touch hacked')", data=pixels), REFUSED),
        "a deep header": (_header("(" * 5000, data=pixels), REFUSED),
        "a header of 2 GB": (b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b"{", REFUSED),
        "a header of 5 MB": (_header(" " * 5_000_000, (2, 0)), REFUSED),
        "a type of words": (_header(fields.replace("<f4", "x") % "12, 5, 64, 64", data=pixels), REFUSED),
        "a type of 2 GB": (_header(fields.replace("<f4", "V2147483647") % "12, 5, 64, 64", data=pixels), REFUSED),
        "a type of objects": (_header(fields.replace("<f4", "|O") % "12, 5, 64, 64", data=pixels), REFUSED),
    }  # fmt: skip
    return {f".npy: {name}": ({"i.npy": content}, wants) for name, (content, wants) in arrays.items()}


def _folders() -> dict[str, tuple[dict[str, Content], str]]:
    one, name = _saved(IMAGES[0]), f"i/{IDS[0]}"
    found: dict[str, tuple[dict[str, Content], str]] = {
        "honest": ({f"i/{number}.npy": _saved(image) for number, image in zip(IDS, IMAGES, strict=True)}, ACCEPTED),
        "another name": ({"i/a.npy": one}, REFUSED),
        "superscripts": ({"i/²³.npy": one}, REFUSED),
        "a name of 200 digits": ({f"i/{'1' * 200}.npy": one}, REFUSED),
        "escapes": ({"i/\x1b[31m.npy": one}, REFUSED),
        "two of one objID": ({f"{name}.npy": one, f"{name}.fits": _fits(IMAGES[0])}, REFUSED),
        "two of one objID by zeros": ({f"{name}.npy": one, f"i/0{IDS[0]}.npy": one}, REFUSED),
        "another shape": ({f"{name}.npy": _saved(IMAGES[0, :3])}, REFUSED),
        "infinite pixels": ({f"{name}.npy": _saved(np.full((5, 64, 64), np.inf))}, EITHER),
        "objects": ({f"{name}.npy": _saved(np.array([_Command()]), allow_pickle=True)}, REFUSED),
        "nothing in it": ({"i/a": b""}, REFUSED),
        "a folder named so": ({f"{name}.npy/a": b""}, REFUSED),
        "a FIFO": ({f"{name}.npy": lambda path: os.mkfifo(path)}, REFUSED),
        "a device": ({f"{name}.npy": lambda path: path.symlink_to("/dev/zero")}, REFUSED),
        "a link in a circle": ({f"{name}.npy": lambda path: path.symlink_to(path.name)}, REFUSED),
        "a link to a secret": ({f"{name}.npy": lambda path: path.symlink_to("/etc/hostname")}, REFUSED),
        "an .arrow that is a FIFO": ({"i/0.arrow": lambda path: os.mkfifo(path)}, REFUSED),
        "an .arrow that is a folder": ({"i/0.arrow/a": b""}, REFUSED),
        "hidden files": ({"i/.0.arrow": b"x", f"{name}.npy": one}, EITHER),
        "5,000 files": ({f"i/{number}.npy": one for number in range(1, 5001)}, EITHER),
    }  # fmt: skip
    found["a FIFO by its name"] = ({"i.npy": lambda path: os.mkfifo(path)}, REFUSED)
    found["an .arrow that is a FIFO by its name"] = ({"i.arrow": lambda path: os.mkfifo(path)}, REFUSED)
    found["an .npy of 100 GB that is not there"] = ({"i.npy": _sparse}, REFUSED)
    return {f"folder: {name}": value for name, value in found.items()}


def _sparse(path: Path) -> None:
    path.write_bytes(_header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 5, 64, 64), }"))
    os.truncate(path, 100 << 30)


def _fits(array: np.ndarray, kind: type = fits.PrimaryHDU, **cards: object) -> bytes:
    sink = io.BytesIO()
    hdu = kind(array)
    hdu.header.update(cards)
    hdu.writeto(sink, output_verify="ignore")
    return sink.getvalue()


def _fits_files() -> dict[str, tuple[dict[str, Content], str]]:
    honest = _fits(IMAGES[0])
    files = {
        "honest": (honest, ACCEPTED),
        "in an extension": (_fits(IMAGES[0], fits.ImageHDU), ACCEPTED),
        "compressed": (_fits(IMAGES[0], fits.CompImageHDU), EITHER),
        "compressed, of a huge shape": (_fits(np.zeros((4, 8000, 8000), np.float32), fits.CompImageHDU), REFUSED),
        "scaled to infinity": (_fits(IMAGES[0].astype(np.int16), BSCALE=1e300, BZERO=1e308), EITHER),
        "scaled by NaN": (honest.replace(b"EXTEND  =                    T", b"BSCALE  = NaN                 "), EITHER),
        "another shape": (_fits(IMAGES[0, :3]), REFUSED),
        "no image": (_fits(None), REFUSED),
        "NAXIS1 of 2e9": (
            honest.replace(b"NAXIS1  =                   64", b"NAXIS1  =           2000000000"),
            REFUSED,
        ),
        "NAXIS of 999": (honest.replace(b"NAXIS   =                    3", b"NAXIS   =                  999"), REFUSED),
        "NAXIS1 of words": (
            honest.replace(b"NAXIS1  =                   64", b"NAXIS1  =                'abc'"),
            REFUSED,
        ),
        "BITPIX of 7": (honest.replace(b"BITPIX  =                  -32", b"BITPIX  =                    7"), REFUSED),
        "cut": (honest[:-5000], REFUSED),
        "text": (b"SIMPLE", REFUSED),
        "nothing": (b"", REFUSED),
    }
    return {f"FITS image: {name}": ({f"i/{IDS[0]}.fits": content}, wants) for name, (content, wants) in files.items()}
