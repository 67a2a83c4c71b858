"""The authors' published cutouts: `{specObjID}_{z}_{zErr}.mat`, joblib pickles of one 5x64x64 float32 array in nmgy.

A pickle can run any code when it is read. These are read by an unpickler that builds numpy arrays and nothing else.
"""

import io
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import numpy as np
import pyarrow.parquet as pq

from crossz.core.errors import CrosszError
from crossz.core.files import digests, write_json
from crossz.core.names import BANDS
from crossz.images.cutouts import SIZE
from crossz.images.store import OK, to_units, write_arrays

MISSING_FILE = "missing_file"
SHAPE = (len(BANDS), SIZE, SIZE)
_LARGEST = 1 << 30  # bytes; a header that claims more is refused before memory is asked for


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
    # joblib's layout: the wrapper is pickled, and right behind its BUILD instruction stand the padding and the bytes of
    # the array. Only the pure-Python unpickler lets us stop there.
    dispatch = dict(pickle._Unpickler.dispatch)  # noqa: RUF012 (the base class's own design)

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self._source = file

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}; only numpy arrays are admitted")
        return _ADMITTED[module, name]

    def load_build(self) -> None:
        super().load_build()
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
    """The cutout [5, 64, 64] float32 in nmgy of one file.

    Raises CrosszError, naming the file, when it is not such an array: another object in the pickle (which is never
    built or called), a cut file, another shape, pixels that are not finite.
    """
    try:
        array = _ArrayUnpickler(io.BytesIO(Path(path).read_bytes())).load()
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
    ) as error:
        raise CrosszError(f"{path}: not a cutout: {error}; remove the file or fetch it again") from error
    if not isinstance(array, np.ndarray) or array.shape != SHAPE or array.dtype.kind != "f":
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
        raise CrosszError(f"{path}: expected floats of shape {SHAPE}, found {found}")
    if not np.isfinite(array).all():
        raise CrosszError(f"{path}: pixels that are not finite")
    return array.astype(np.float32, copy=False)


def cutouts_by_spectrum(folder: str | Path) -> dict[int, Path]:
    """The cutout file of each specObjID in `folder`, by the files' names.

    Raises CrosszError when the folder has none, or two files of one spectrum.
    """
    found: dict[int, Path] = {}
    for path in sorted(Path(folder).glob("*.mat")):
        spectrum = path.name.split("_")[0]
        if not spectrum.isdigit():
            raise CrosszError(f"{path}: expected a name like {{specObjID}}_{{z}}_{{zErr}}.mat")
        if int(spectrum) in found:
            raise CrosszError(f"{path}: a second cutout of spectrum {spectrum}, beside {found[int(spectrum)].name}")
        found[int(spectrum)] = path
    if not found:
        raise CrosszError(f"{folder}: no {{specObjID}}_{{z}}_{{zErr}}.mat in it; set cutouts.folder")
    return found


def write_mat_cutouts(
    plan_path: str | Path, folder: str | Path, cutouts_path: str | Path, counts_path: str | Path
) -> None:
    """Bring the cutouts of one shard's objects into the store; an object without a file keeps its row and says so.

    A file that is there but cannot be read stops the run, after all such files of the shard are listed.
    """
    plan = pq.read_table(plan_path, columns=["objID", "specObjID"]).to_pandas()
    files = cutouts_by_spectrum(folder)
    image = np.zeros((len(plan), *SHAPE), np.float16)
    status, problems, clipped = [], [], 0
    for row, spectrum in enumerate(plan["specObjID"].tolist()):
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
    mask = np.zeros((len(plan), SIZE, SIZE), np.uint8)
    columns = {"objID": plan["objID"].to_numpy(), "status": status, "image": image, "mask": mask}
    write_arrays(cutouts_path, columns)
    kinds = {kind: status.count(kind) for kind in sorted({OK, *status})}
    write_json(
        counts_path, {"objects": len(plan), "status": kinds, "clipped_pixels": clipped, "sha256": digests(cutouts_path)}
    )
