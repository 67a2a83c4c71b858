"""Arrow files give back what was put in, and say when a file is none of theirs."""

import numpy as np
import pyarrow as pa
import pytest
from toy_images import write_cutout_file

from crossz.core.errors import CrosszError
from crossz.images.arrow import read_arrays, to_nmgy, to_units


def test_native_pixels_are_exact_and_what_float16_cannot_hold_is_counted():
    ten_bits = (np.arange(512, 1024, dtype=np.float32)[:, None] * 2.0 ** np.arange(-16, -2)).ravel()
    units, clipped = to_units(np.concatenate([ten_bits, -ten_bits]))
    np.testing.assert_array_equal(to_nmgy(units), np.concatenate([ten_bits, -ten_bits]))
    assert clipped == 0
    units, clipped = to_units(np.array([1e6, -1e6, 2316.0], np.float32))
    assert clipped == 2
    assert np.isfinite(units).all()


def test_a_foreign_or_cut_file_is_refused_by_name(tmp_path):
    path = tmp_path / "0.arrow"
    path.write_bytes(b"not arrow")
    with pytest.raises(CrosszError, match=r"0\.arrow: not an Arrow file"):
        read_arrays(path)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, pa.schema([("objID", pa.int64())])):
        pass
    with pytest.raises(CrosszError, match="expected bands ugriz"):
        read_arrays(path)


def test_equal_contents_are_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_cutout_file(tmp_path / name, [1, 2], ["ok", "ok"], np.random.default_rng(3))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_compressed_file_is_refused_before_it_is_unpacked(tmp_path, compression):
    path = tmp_path / "0.arrow"
    table = pa.table({"objID": [1], "status": ["x" * 50_000_000]})
    with pa.OSFile(str(path), "wb") as sink:
        with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
            writer.write_table(table)
    del table
    before = pa.default_memory_pool().max_memory()
    with pytest.raises(CrosszError, match=r"0\.arrow: it is compressed; .* write it without compression"):
        read_arrays(path)
    assert pa.default_memory_pool().max_memory() == before
