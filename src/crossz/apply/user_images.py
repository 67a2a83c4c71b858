"""Images of users: cutout files, a folder of them, a folder of FITS or NumPy files named by objID, or one array."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crossz.apply.predict import Images, image_finder, images_in
from crossz.catalog.readers import check_fits
from crossz.core.constants import BANDS, CUTOUT_SIZE, OK
from crossz.core.errors import CrosszError, Refused
from crossz.core.foreign import refusing
from crossz.images.arrow import to_units, write_arrays

SHAPE = (len(BANDS), CUTOUT_SIZE, CUTOUT_SIZE)
"""Of an image: u g r i z, rows, columns."""
Find = Callable[[Sequence[Any] | None, range], Images]
"""The images of rows of a table, from their objID, if they have any, and their numbers."""
_AT_ONCE = 1024  # images of one temporary cutout file


def images_from(array: np.ndarray) -> Images:
    """The images of targets from an array in the order of their rows.

    Parameters
    ----------
    array
        [n, 5, 64, 64] nanomaggies: u g r i z, the object at (32, 32) of r, aligned as the model card says. Pixels that are
        NaN are masked. An image without any pixel counts as none.

    Raises
    ------
    CrosszError
        The array has another shape, or holds no numbers.
    """
    if array.shape[1:] != SHAPE or array.dtype.kind not in "fiu":
        raise CrosszError(f"images are an array [n, 5, 64, 64] of numbers, not {array.dtype} {list(array.shape)}")
    parts = (array[start : start + _AT_ONCE] for start in range(0, len(array), _AT_ONCE))
    numbers = (np.arange(start, min(start + _AT_ONCE, len(array))) for start in range(0, len(array), _AT_ONCE))
    with tempfile.TemporaryDirectory() as scratch:
        files = list(_written(zip(numbers, parts, strict=True), Path(scratch)))
        return images_in(files, range(len(array)))


def images_for(names: Sequence[str | Path], objID: Sequence[Any] | None, count: int, source: str) -> Images:
    """The images of `count` targets from what --cutouts names.

    Parameters
    ----------
    names
        Cutout files, folders of them, or folders of .npy and FITS files that are named by objID; or one .npy file with
        an image for each row of the table.
    objID
        Those of the targets; None if they have none.
    source
        The table, for messages.

    Raises
    ------
    CrosszError
        There is no such file, it holds something else, or images are found by an objID that the table has not.
    """
    with finding(names, lambda: count, objID is not None, source) as find:
        return find(objID, range(count))


@contextlib.contextmanager
def finding(names: Sequence[str | Path], count: Callable[[], int], has_ids: bool, source: str) -> Iterator[Find]:
    """What finds the images of some rows of a table after others; parameters and errors are those of `images_for`.

    Parameters
    ----------
    count
        Counts the rows of the table.
    has_ids
        Whether they have an objID.
    """
    paths = [Path(name) for name in names]
    if absent := [path for path in paths if not path.exists()]:
        raise CrosszError(f"{absent[0]}: no such file or folder of images")
    if len(paths) == 1 and paths[0].is_file() and paths[0].suffix == ".npy":
        array = _array(paths[0])
        if array.shape != (rows := count(), *SHAPE):
            raise CrosszError(
                f"{paths[0]}: an array {list(array.shape)}; for this table it must be [{rows}, 5, 64, 64]"
            )
        yield lambda _, here: images_from(array[here.start : here.stop])
        return
    if not has_ids:
        raise CrosszError(f"{source}: no column objID, by which images are found; map it: --columns objID=NAME")
    with tempfile.TemporaryDirectory() as scratch:
        files = []
        for number, path in enumerate(paths):
            files += _of_folder(path, Path(scratch) / str(number)) if path.is_dir() else [path]
        find = image_finder(files)
        yield lambda objID, _: find(list(objID or ()))


def _of_folder(folder: Path, scratch: Path) -> list[Path]:
    """Cutout files of what a folder holds."""
    if files := sorted(folder.glob("*.arrow")):
        return files
    images = sorted(path for path in folder.iterdir() if path.suffix in (".npy", ".fits", ".fit"))
    if not images:
        raise CrosszError(f"{folder}: no images in it: neither .arrow files, nor .npy or .fits files named by objID")
    if strange := [path.name for path in images if not (path.stem.isdecimal() and int(path.stem) < 1 << 63)]:
        raise CrosszError(f"{folder}: {strange[0]}: an image's name is its objID, for example 1237648721234567890.npy")
    if no_files := [path.name for path in images if not path.is_file()]:
        raise CrosszError(f"{folder}: {no_files[0]}: a folder or a device, not a file; leave it out")
    scratch.mkdir()
    starts = range(0, len(images), _AT_ONCE)
    parts = ((start, images[start : start + _AT_ONCE]) for start in starts)
    read = (
        (np.array([int(path.stem) for path in some]), np.stack([_image(path) for path in some])) for _, some in parts
    )
    return list(_written(read, scratch))


def _image(path: Path) -> np.ndarray:
    array = _array(path) if path.suffix == ".npy" else _fits_array(path)
    _check_shape(path, array.shape)
    return array.astype(np.float32)


def _check_shape(path: Path, shape: tuple[int, ...]) -> None:
    if shape != SHAPE:
        raise CrosszError(f"{path}: an array {list(shape)}; wanted [5, 64, 64]: u g r i z in nanomaggies")


def _array(path: Path) -> np.ndarray:
    try:
        with refusing("not a readable .npy file"):
            array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
            if array.dtype.kind not in "fiu":
                raise Refused(f"not a .npy file of numbers, but of {array.dtype}")
    except Refused as error:
        raise CrosszError(f"{path}: {error}") from error
    return array


def _fits_array(path: Path) -> np.ndarray:
    from astropy.io import fits

    try:
        with refusing("not a readable FITS image"):
            check_fits(path)
            with fits.open(path) as hdus:
                image = next((hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0)), None)
                if image is None:
                    raise Refused("a FITS file without an image")
                _check_shape(path, image.shape)  # before a compressed one is unpacked
                return np.array(image.data, np.float32)
    except Refused as error:
        raise CrosszError(f"{path}: {error}") from error


def _written(parts: Iterator[tuple[np.ndarray, np.ndarray]], folder: Path) -> Iterator[Path]:
    """Cutout files of (objID [m], images [m, 5, 64, 64] in nanomaggies)."""
    for number, (objID, array) in enumerate(parts):
        image = np.asarray(array, np.float32)
        absent = ~np.isfinite(image)
        bits = (1 << np.arange(len(BANDS), dtype=np.uint8))[None, :, None, None]
        mask = (absent * bits).sum(1, dtype=np.uint8)
        units, _ = to_units(np.where(absent, np.float32(0), image))
        status = np.where(absent.all((1, 2, 3)), "empty", OK)
        path = folder / f"{number}.arrow"
        columns = {"objID": objID.astype(np.int64), "status": status.tolist(), "image": units, "mask": mask}
        write_arrays(path, columns)
        yield path
