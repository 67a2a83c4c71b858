"""The store gives back what was put in, by objID, and says when a file is not its own."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from crossz.core import files
from crossz.core.errors import CrosszError
from crossz.images.gate import gate
from crossz.images.index import write_index
from crossz.images.store import ImageStore, read_arrays, to_nmgy, to_units, write_arrays


def write_shard(path, objID, status, rng):
    image, _ = to_units(rng.normal(size=(len(objID), 5, 64, 64)).astype(np.float32))
    mask = rng.integers(0, 32, (len(objID), 64, 64)).astype(np.uint8)
    write_arrays(path, {"objID": np.array(objID, np.int64), "status": status, "image": image, "mask": mask})
    return image, mask


def index(folder, planned, *paths):
    """Index the shards `paths` of the objects `planned`; the counts."""
    pd.DataFrame({"objID": planned}).to_parquet(folder / "plan.parquet")
    outputs = [folder / name for name in ("images.parquet", "counts.json", "missing.csv")]
    write_index(paths, [folder / "plan.parquet"], *outputs)
    return json.loads((folder / "counts.json").read_text())


def test_images_are_gathered_by_objID_across_shards_in_any_order(tmp_path):
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.arrow" for number in range(3)]
    first = write_shard(paths[0], [50, 10, 30], ["ok", "ok", "missing_frame"], rng)
    write_shard(paths[1], [], [], rng)
    third = write_shard(paths[2], [20, 40], ["ok", "ok"], rng)
    counts = index(tmp_path, [10, 20, 30, 40, 50], *paths)
    assert counts["objects"] == 5
    assert counts["status"] == {"missing_frame": 1, "ok": 4}
    assert counts["sha256"] == files.digests(tmp_path / "images.parquet")
    bands = "".join(band for bit, band in enumerate("ugriz") if first[1][2, 32, 32] >> bit & 1)
    assert bands
    assert (tmp_path / "missing.csv").read_text() == f"objID,status,bands\n30,missing_frame,{bands}\n"
    store = ImageStore(tmp_path / "images.parquet", paths)
    rows = store.rows(np.array([40, 10, 30, 99, 50]))
    assert (rows[[2, 3]] == -1).all()  # no usable image; unknown
    image, mask = store.gather(rows[[0, 1, 4]])
    np.testing.assert_array_equal(image, np.stack([third[0][1], first[0][1], first[0][0]]))
    np.testing.assert_array_equal(mask, np.stack([third[1][1], first[1][1], first[1][0]]))


def test_native_pixels_are_exact_and_what_float16_cannot_hold_is_counted():
    ten_bits = (np.arange(512, 1024, dtype=np.float32)[:, None] * 2.0 ** np.arange(-16, -2)).ravel()
    units, clipped = to_units(np.concatenate([ten_bits, -ten_bits]))
    np.testing.assert_array_equal(to_nmgy(units), np.concatenate([ten_bits, -ten_bits]))
    assert clipped == 0
    units, clipped = to_units(np.array([1e6, -1e6, 2316.0], np.float32))
    assert clipped == 2
    assert np.isfinite(units).all()


def test_the_gate_stops_the_run_and_names_the_list_of_the_missing(tmp_path):
    write_shard(tmp_path / "0.arrow", [1, 2, 3, 4], ["ok", "ok", "ok", "missing_frame"], np.random.default_rng(0))
    index(tmp_path, [1, 2, 3, 4], tmp_path / "0.arrow")
    files = (tmp_path / "counts.json", tmp_path / "missing.csv", tmp_path / "gate.json")
    with pytest.raises(CrosszError, match=r"25\.0% of 4 objects.*missing_frame.*missing\.csv lists.*max_loss = 0\.1"):
        gate(*files, max_loss=0.1)
    assert not files[-1].exists()
    gate(*files, max_loss=0.25)
    assert json.loads(files[-1].read_text())["loss"] == 0.25


def test_an_object_that_was_planned_and_never_cut_is_noticed(tmp_path):
    write_shard(tmp_path / "0.arrow", [1], ["ok"], np.random.default_rng(0))
    with pytest.raises(CrosszError, match="1 planned objIDs stand in no shard, the first is 2"):
        index(tmp_path, [1, 2], tmp_path / "0.arrow")


def test_an_objID_in_two_shards_is_refused(tmp_path):
    for name in ("0", "1"):
        write_shard(tmp_path / f"{name}.arrow", [7], ["ok"], np.random.default_rng(0))
    with pytest.raises(CrosszError, match="two shards, the first is 7"):
        index(tmp_path, [7], tmp_path / "0.arrow", tmp_path / "1.arrow")


def test_a_foreign_or_cut_file_is_refused_by_name(tmp_path):
    path = tmp_path / "0.arrow"
    path.write_bytes(b"not arrow")
    with pytest.raises(CrosszError, match=r"0\.arrow is not an Arrow shard"):
        read_arrays(path)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, pa.schema([("objID", pa.int64())])):
        pass
    with pytest.raises(CrosszError, match="expected bands ugriz"):
        read_arrays(path)


def test_equal_contents_are_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_shard(tmp_path / name, [1, 2], ["ok", "ok"], np.random.default_rng(3))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
