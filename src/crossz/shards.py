"""The Arrow store of images: one memory-mapped IPC file a shard, found by objID through one index.

Pixels are stored as float16 in units of 1/16 nmgy: native SDSS pixels carry 10 significant bits, and times 16 they
are float16-exact (docs/method.md). A pixel that float16 cannot hold is clipped to its largest value and counted.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from crossz import BANDS
from crossz.errors import CrosszError
from crossz.files import atomic_path, digests, read_json, write_json

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


def write(path: str | Path, columns: dict[str, np.ndarray | list]) -> None:
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


def read(path: str | Path) -> dict[str, np.ndarray]:
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


def write_index(
    shard_paths: Sequence[str | Path],
    plan_paths: Sequence[str | Path],
    index_path: str | Path,
    counts_path: str | Path,
    missing_path: str | Path,
) -> None:
    """Write where each objID's image lies: objID, shard (position in `shard_paths`), row, status; and status counts.

    `missing_path` gets the objects of `plan_paths` without a usable image: where they are, their status, and the bands
    that do not cover them. Raises CrosszError when an objID stands in two shards, or in a plan and in no shard.
    """
    parts = []
    for number, path in enumerate(shard_paths):
        columns = read(path)
        count = len(columns["objID"])
        place = {"shard": np.full(count, number, np.int32), "row": np.arange(count, dtype=np.int32)}
        status = columns["status"].astype(str)
        lost = np.flatnonzero(status != OK)
        bands = np.full(count, "", object)
        if len(lost):
            bands[lost] = [_uncovered(mask) for mask in columns["mask"][lost]]
        parts.append(pd.DataFrame({"objID": columns["objID"], **place, "status": status, "bands": bands}))
    index = pd.concat(parts).sort_values("objID", ignore_index=True)
    repeated = index["objID"][index["objID"].duplicated()]
    if len(repeated):
        raise CrosszError(f"{len(repeated)} objIDs stand in two shards, the first is {repeated.iloc[0]}; rerun `plan`")
    plan = pd.concat([pq.read_table(path).to_pandas() for path in plan_paths])
    forgotten = np.setdiff1d(plan["objID"], index["objID"])
    if len(forgotten):
        raise CrosszError(
            f"{len(forgotten)} planned objIDs stand in no shard, the first is {forgotten[0]}; rerun `stamps`"
        )
    missing = plan.merge(index.loc[index["status"] != OK, ["objID", "status", "bands"]], on="objID").sort_values(
        "objID"
    )
    status = {str(name): int(count) for name, count in index["status"].value_counts().sort_index().items()}
    print(
        f"{len(index):,} objects: " + ", ".join(f"{name} {count:,}" for name, count in status.items()),
        flush=True,
    )
    with atomic_path(missing_path) as temporary:
        missing.to_csv(temporary, index=False)
    with atomic_path(index_path) as temporary:
        index.drop(columns="bands").to_parquet(temporary, index=False)
    write_json(counts_path, {"objects": len(index), "status": status, "sha256": digests(index_path)})


def write_without_images(plan_path: str | Path, shard_path: str | Path, counts_path: str | Path) -> None:
    """Write the objects of a plan as a shard without pixels, each of them usable: by models of photometry alone."""
    objID = pq.read_table(plan_path, columns=["objID"])["objID"].to_numpy()
    write(shard_path, {"objID": objID, "status": [OK] * len(objID)})
    write_json(counts_path, {"objects": len(objID), "status": {OK: len(objID)}, "sha256": digests(shard_path)})


def _uncovered(mask: np.ndarray) -> str:
    """Letters of the bands that do not cover the centre of one object's mask [64, 64]."""
    bits = int(mask[mask.shape[0] // 2, mask.shape[1] // 2])
    return "".join(band for number, band in enumerate(BANDS) if bits >> number & 1)


def gate(counts_path: str | Path, missing_path: str | Path, gate_path: str | Path, max_loss: float) -> None:
    """Raise CrosszError when a share of more than `max_loss` of the objects has no usable image; else write the share."""
    counts = read_json(counts_path)
    loss = 1 - counts["status"].get(OK, 0) / max(counts["objects"], 1)
    if loss > max_loss:
        raise CrosszError(
            f"{loss:.1%} of {counts['objects']:,} objects have no usable image ({counts['status']}); {missing_path} lists them; "
            f"the gate is cutouts.max_loss = {max_loss:g}: find the missing frames or files and rerun (-R stamps, or mat_cutouts), or raise it"
        )
    write_json(gate_path, {"objects": counts["objects"], "loss": loss, "max_loss": max_loss})


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
        self._shards = [read(path) for path in shard_paths]

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
