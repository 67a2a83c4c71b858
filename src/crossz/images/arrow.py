"""Arrow files of arrays: one a shard, for stamps, cutouts ("cutout files") and spectra.

Pixels are stored as float16 in units of 1/16 nmgy: native SDSS pixels carry 10 significant bits, and times 16 they
are float16-exact (docs/method.md). A pixel that float16 cannot hold is clipped to its largest value and counted.
Stamps rest on this module: an edit here cuts all of them again.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from crossz.core.constants import BANDS
from crossz.core.errors import CrosszError, Refused
from crossz.core.files import atomic_path
from crossz.core.foreign import refusing
from crossz.images.arrow_layout import refuse_compressed

UNITS_PER_NMGY = 16.0
"""Stored value of a pixel of one nanomaggy."""
_LARGEST = float(np.finfo(np.float16).max)


def to_units(image: np.ndarray) -> tuple[np.ndarray, int]:
    """Pixels as they are stored.

    Parameters
    ----------
    image : array of float
        nmgy.

    Returns
    -------
    units : array of float16
        1/16 nmgy.
    clipped : int
        Number of pixels that float16 cannot hold.
    """
    scaled = image * UNITS_PER_NMGY
    clipped = np.abs(scaled) > _LARGEST
    return np.clip(scaled, -_LARGEST, _LARGEST).astype(np.float16), int(clipped.sum())


def to_nmgy(units: np.ndarray) -> np.ndarray:
    """Stored pixels -> float32 nanomaggies."""
    return units.astype(np.float32) / np.float32(UNITS_PER_NMGY)


def write_arrays(path: str | Path, columns: Mapping[str, np.ndarray | list]) -> None:
    """Write the arrays of one shard's objects. Equal contents are equal bytes.

    Parameters
    ----------
    path
        What is written.
    columns
        Arrays and lists with one first axis, the objects; arrays with more axes become fixed-shape tensors.
    """
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
    """The columns of an Arrow file; tensors are views into the memory-mapped file, nothing is copied.

    Raises
    ------
    CrosszError
        The file is none that `write_arrays` wrote, or it has other bands or units; the message names it.
    """
    try:
        with refusing("not an Arrow file"), pa.memory_map(str(path)) as source:
            refuse_compressed(source)
            table = pa.ipc.open_file(source).read_all()
            table.validate(full=False)
            for column in table.itercolumns():
                if not isinstance(column.type, pa.FixedShapeTensorType):
                    column.validate(full=True)  # a text would be read out of bounds
    except Refused as error:
        raise CrosszError(f"{path}: {error}; delete it and rerun") from error
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
