"""The authors' published cutouts: `{specObjID}_{z}_{zErr}.mat`, joblib pickles of one 5x64x64 float32 array in nmgy.

A pickle can run any code when it is read. These are read by an unpickler that builds numpy arrays and nothing else.
"""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, ClassVar

import numpy as np
import pyarrow.parquet as pq

from crossz.core.constants import BANDS, CUTOUT_SIZE, OK
from crossz.core.errors import CrosszError, Refused
from crossz.core.files import digests, write_json
from crossz.core.foreign import read_file, refusing
from crossz.images.arrow import to_units, write_arrays

MISSING_FILE = "missing_file"
"""Status of an object without a file."""
SHAPE = (len(BANDS), CUTOUT_SIZE, CUTOUT_SIZE)
BRIGHTEST = 1e6
"""nmgy of a pixel that no camera of SDSS can have: it saturates at some 2,000."""
_LARGEST = 8 << 20  # bytes of a file, and of its array; a real one has 82 kB


class _ArrayWrapper(SimpleNamespace):
    """Stands for joblib's NumpyArrayWrapper: the array's description; its bytes follow in the file."""


class _Ndarray:
    """Stands for the name numpy.ndarray, which such a pickle mentions but must not call."""


_ADMITTED = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _ArrayWrapper,
    ("numpy", "ndarray"): _Ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArrayUnpickler(pickle._Unpickler):
    """An unpickler of joblib's layout, which builds numpy arrays and nothing else.

    The wrapper is pickled, and right behind its BUILD instruction stand the padding and the bytes of the array. Only
    the pure-Python unpickler can stop there.
    """

    stack: list[Any]
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self._source = file

    def find_class(self, module: str, name: str) -> type:
        """The class of an admitted name; any other raises UnpicklingError."""
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}; only numpy arrays are admitted")
        return _ADMITTED[module, name]

    def load_build(self) -> None:
        """Build the top of the stack, and if it is an array's wrapper, replace it by the array."""
        super().load_build()  # type: ignore[misc]
        if isinstance(self.stack[-1], _ArrayWrapper):
            self.stack[-1] = self._array(self.stack[-1])

    dispatch[pickle.BUILD[0]] = load_build

    def _array(self, wrapper: _ArrayWrapper) -> np.ndarray:
        dtype, shape = np.dtype(wrapper.dtype), tuple(map(int, wrapper.shape))
        size = dtype.itemsize * int(np.prod(shape, dtype=object))
        if dtype.hasobject or size > _LARGEST or wrapper.order not in ("C", "F"):
            raise pickle.UnpicklingError(f"an array of {dtype} {shape} order {wrapper.order!r} is not admitted")
        if getattr(wrapper, "numpy_array_alignment_bytes", None):
            self._source.read(self._source.read(1)[0])
        content = self._source.read(size)
        if len(content) != size:
            raise pickle.UnpicklingError(f"cut short: {len(content)} of {size} bytes of pixels")
        return np.frombuffer(content, dtype).reshape(shape, order=wrapper.order)


def read_mat(path: str | Path) -> np.ndarray:
    """Read the cutout of one file.

    Returns
    -------
    array [5, 64, 64] of float32
        nmgy.

    Raises
    ------
    CrosszError
        The file is not such an array: it holds another object (which is never built or called), is cut short, has
        another shape, or pixels that are not finite. The message names the file.
    """
    content = read_file(path, _LARGEST)
    try:
        with refusing("not a cutout"):
            array = _ArrayUnpickler(io.BytesIO(content)).load()
    except Refused as error:
        raise CrosszError(f"{path}: {error}; remove the file or fetch it again") from error
    if not isinstance(array, np.ndarray) or array.shape != SHAPE or array.dtype.kind != "f":
        kind = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise CrosszError(f"{path}: expected floats of shape {SHAPE}, found {kind}")
    if not (np.abs(array) < BRIGHTEST).all():
        raise CrosszError(f"{path}: pixels that are not finite, or of more than {BRIGHTEST:g} nmgy; remove the file")
    return array.astype(np.float32, copy=False)


def cutouts_by_spectrum(folder: str | Path) -> dict[int, Path]:
    """The `.mat` file of each specObjID in `folder`, by the files' names.

    Raises CrosszError when the folder has none, or two files of one spectrum.
    """
    files: dict[int, Path] = {}
    for path in sorted(Path(folder).glob("*.mat")):
        spectrum = path.name.split("_")[0]
        if not (spectrum.isascii() and spectrum.isdigit()):  # int knows digits of other scripts, and not '²'
            raise CrosszError(f"{path}: expected a name like {{specObjID}}_{{z}}_{{zErr}}.mat")
        if int(spectrum) in files:
            raise CrosszError(f"{path}: a second cutout of spectrum {spectrum}, beside {files[int(spectrum)].name}")
        files[int(spectrum)] = path
    if not files:
        raise CrosszError(f"{folder}: no {{specObjID}}_{{z}}_{{zErr}}.mat in it; set cutouts.folder")
    return files


def write_mat_cutouts(*, plan: str | Path, folder: str | Path, cutouts: str | Path, counts: str | Path) -> None:
    """Write the cutout file of one shard from `.mat` files. An object without a file keeps its row and says so.

    Parameters
    ----------
    plan
        The shard's plan.
    folder
        Folder of the `.mat` files.
    cutouts, counts
        What is written: the cutout file, and the account of every object.

    Raises
    ------
    CrosszError
        It lists the files of the shard that are there and cannot be read.
    """
    objects = pq.read_table(plan, columns=["objID", "specObjID"]).to_pandas()
    files = cutouts_by_spectrum(folder)
    image = np.zeros((len(objects), *SHAPE), np.float16)
    status, problems, clipped = [], [], 0
    for row, spectrum in enumerate(objects["specObjID"].tolist()):
        if spectrum not in files:
            status.append(MISSING_FILE)
            continue
        status.append(OK)
        try:
            image[row], lost = to_units(read_mat(files[spectrum]))
            clipped += lost
        except CrosszError as error:
            problems.append(str(error))
    if problems:
        raise CrosszError("\n".join(problems))
    mask = np.zeros((len(objects), CUTOUT_SIZE, CUTOUT_SIZE), np.uint8)
    write_arrays(cutouts, {"objID": objects["objID"].to_numpy(), "status": status, "image": image, "mask": mask})
    kinds = {kind: status.count(kind) for kind in sorted({OK, *status})}
    account = {"objects": len(objects), "status": kinds, "clipped_pixels": clipped}
    write_json(counts, account | {"sha256": digests(cutouts)})
