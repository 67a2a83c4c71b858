"""The Arrow store of images: one memory-mapped IPC file a shard, found by objID through one index.

Pixels are stored as float16 in units of 1/16 nmgy: native SDSS pixels carry 10 significant bits, and times 16 they
are float16-exact (docs/method.md). A pixel that float16 cannot hold is clipped to its largest value and counted.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from crossz.core.errors import CrosszError
from crossz.core.files import atomic_path
from crossz.core.names import BANDS

UNITS_PER_NMGY = 16.0
"""Stored value of a pixel of one nanomaggy."""


OK = "ok"
"""Status of an object whose image can be used; any other status says why it cannot."""


_LARGEST = float(np.finfo(np.float16).max)


def to_units(image: np.ndarray) -> tuple[np.ndarray, int]:
    """Pixels in nmgy -> (float16 in 1/16 nmgy, number of pixels clipped because float16 cannot hold them)."""
    scaled = image * UNITS_PER_NMGY
    clipped = np.abs(scaled) > _LARGEST
    return np.clip(scaled, -_LARGEST, _LARGEST).astype(np.float16), int(clipped.sum())


def to_nmgy(units: np.ndarray) -> np.ndarray:
    """Stored pixels -> float32 nanomaggies."""
    return units.astype(np.float32) / np.float32(UNITS_PER_NMGY)


def write_arrays(path: str | Path, columns: dict[str, np.ndarray | list]) -> None:
    """Write one shard; arrays with more than one axis become fixed-shape tensors, all have the same first axis."""
    arrays = {
        name: _tensor(values) if isinstance(values, np.ndarray) and values.ndim > 1 else pa.array(values)
        for name, values in columns.items()
    }
    metadata = {"bands": BANDS, "units_per_nmgy": str(UNITS_PER_NMGY)}
    table = pa.table(arrays).replace_schema_metadata(metadata)
    with atomic_path(path) as temporary, pa.OSFile(str(temporary), "wb") as sink:
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=max(len(table), 1))


def _tensor(values: np.ndarray) -> pa.ExtensionArray:
    kind = pa.fixed_shape_tensor(pa.from_numpy_dtype(values.dtype), values.shape[1:])
    flat = pa.array(values.reshape(-1))
    return pa.ExtensionArray.from_storage(kind, pa.FixedSizeListArray.from_arrays(flat, kind.storage_type.list_size))


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """The columns of a shard; tensors are views into the memory-mapped file, nothing is copied.

    Raises CrosszError, naming the file, when it is no shard of this version of the store.
    """
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
    except pa.ArrowInvalid as error:
        raise CrosszError(f"{path} is not an Arrow shard ({error}); delete it and rerun") from error
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if metadata.get("bands") != BANDS or metadata.get("units_per_nmgy") != str(UNITS_PER_NMGY):
        raise CrosszError(f"{path}: expected bands {BANDS} in 1/{UNITS_PER_NMGY:g} nmgy, found {metadata}")
    columns = {}
    for field in table.schema:
        values = table[field.name]
        if isinstance(field.type, pa.FixedShapeTensorType):
            if table.num_rows:
                columns[field.name] = values.chunk(0).to_numpy_ndarray()
            else:
                dtype = field.type.value_type.to_pandas_dtype()
                columns[field.name] = np.empty((0, *field.type.shape), dtype)
        else:
            columns[field.name] = values.to_numpy()
    return columns


def sampled_digest(path: str | Path) -> str:
    """A digest of a shard's size and of 64 KiB at 64 places: cheap for 19 GB, changed by any other alignment or plan."""
    size = Path(path).stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as handle:
        for place in range(64):
            handle.seek(place * size // 64)
            digest.update(handle.read(1 << 16))
    return digest.hexdigest()


class ImageStore:
    """Images of many shards as one array, gathered by row; holds the memory maps open.

    `index_path` is what `write_index` wrote for the same `shard_paths`, in the same order.
    """

    def __init__(self, index_path: str | Path, shard_paths: Sequence[str | Path]):
        self._index = pq.read_table(index_path).to_pandas()
        self._shards = [read_arrays(path) for path in shard_paths]

    def rows(self, objID: np.ndarray) -> np.ndarray:
        """Row [n] int64 of each objID, for `gather`; -1 where there is no usable image."""
        known = self._index["objID"].to_numpy()
        if not len(known):
            return np.full(len(objID), -1)
        row = np.minimum(np.searchsorted(known, objID), len(known) - 1)
        usable = (known[row] == objID) & (self._index["status"].to_numpy()[row] == OK)
        return np.where(usable, row, -1)

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Images [n, 5, 64, 64] float16 in 1/16 nmgy and masks [n, 64, 64] uint8 of `rows`, in their order.

        Bit b of a mask pixel is set where no frame covered band b; the pixel itself is 0 there.
        """
        shard = self._index["shard"].to_numpy()[rows]
        row = self._index["row"].to_numpy()[rows]
        image = np.empty((len(rows), *self._shards[0]["image"].shape[1:]), np.float16)
        mask = np.empty((len(rows), *self._shards[0]["mask"].shape[1:]), np.uint8)
        for number in np.unique(shard):
            here = np.flatnonzero(shard == number)
            image[here] = self._shards[number]["image"][row[here]]
            mask[here] = self._shards[number]["mask"][row[here]]
        return image, mask
